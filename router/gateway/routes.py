"""The paths of the gateway."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from router.gateway.api import Api
from router.gateway.auth import AuthApi
from router.gateway.cross_origin import CrossOrigin
from router.gateway.endpoint import Endpoint, Handler, NotFound
from router.gateway.heat import HeatApi
from router.gateway.nodes import Nodes
from router.gateway.pages import pages
from router.gateway.settings import GatewaySettings


def routes(
    api: Api, nodes: Nodes, heat: HeatApi, auth: AuthApi, settings: GatewaySettings
) -> list[BaseRoute]:
    """Return the routes of the API and, where the settings name a folder, of the demo's pages.

    Raises `OSError` when that folder does not hold the pages.
    """

    def endpoint(**handlers: Handler) -> Endpoint:
        return Endpoint(handlers, api.errors)

    def origins() -> Sequence[str]:
        return api.settings.allowed_origins

    connect = CrossOrigin(endpoint(GET=api.connect), origins)
    found: list[BaseRoute] = [
        Route("/v1/connect", connect),
        Route("/v1/rooms/{room}/publish", endpoint(POST=api.publish_to_room)),
        Route("/v1/rooms/{room}/heat", endpoint(GET=heat.show, POST=heat.wish)),
        Route("/v1/rooms/{room}/tag", endpoint(PUT=heat.tag, DELETE=heat.untag)),
        Route("/v1/users/publish", endpoint(POST=api.publish_to_users)),
        Route("/v1/users/{uid}/publish", endpoint(POST=api.publish_to_user)),
        Route("/v1/nodes/{node}/drain", endpoint(POST=nodes.drain)),
        Route("/v1/status", endpoint(GET=api.status)),
        Route("/v1/users/{uid}/revoke", endpoint(POST=auth.revoke_user)),
        Route("/v1/logins/{sid}/revoke", endpoint(POST=auth.revoke_login)),
    ]
    for name, (method, handler) in _of_accounts(auth).items():
        served = endpoint(**{method: handler})
        found.append(Route(f"/v1/auth/{name}", CrossOrigin(served, origins, [method])))
    if settings.demo:
        found.append(Route("/v1/demo/token", endpoint(POST=api.demo_token)))
    found.append(Route("/v1/{rest:path}", NotFound(api.errors)))
    return found + (pages(settings.pages) if settings.pages else [])


def _of_accounts(auth: AuthApi) -> dict[str, tuple[str, Handler]]:
    return {
        "register": ("POST", auth.register),
        "login": ("POST", auth.log_in),
        "refresh": ("POST", auth.refresh),
        "logout": ("POST", auth.log_out),
        "logout-everywhere": ("POST", auth.log_out_everywhere),
        "logins": ("GET", auth.logins),
        "password": ("POST", auth.change_password),
        "jwks.json": ("GET", auth.public_keys),
    }
