"""Where to connect: asks the gateway, or knows already."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Sequence

import trio

from relaymesh_client.backoff import Endpoint
from relaymesh_client.errors import Refused, refused_by_http

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 1 << 20

EndpointSource = Callable[[str, str], Awaitable[Sequence[Endpoint]]]
"""Takes a room (may be empty) and the token and returns access nodes, the best first.

Raises `OSError` when nothing answers, `Refused` when the token is not accepted.
"""


def fixed(*urls: str) -> EndpointSource:
    """Return a source that always names `urls` (`ws://HOST:PORT/v1`), in this order."""
    endpoints = [Endpoint(url) for url in urls]

    async def source(room: str, token: str) -> Sequence[Endpoint]:  # noqa: ARG001
        await trio.lowlevel.checkpoint()
        return endpoints

    return source


def gateway(url: str) -> EndpointSource:
    """Return a source that asks the gateway at `url` (`http://HOST:PORT`) each time."""

    async def source(room: str, token: str) -> Sequence[Endpoint]:
        return await trio.to_thread.run_sync(_ask, url, room, token, abandon_on_cancel=True)

    return source


def _ask(url: str, room: str, token: str) -> list[Endpoint]:
    query = f"?{urllib.parse.urlencode({'room': room})}" if room else ""
    request = urllib.request.Request(
        f"{url.rstrip('/')}/v1/connect{query}", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            body = answer.read(MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        raise _refusal(error) from None
    try:
        endpoints = json.loads(body)["endpoints"]
        return [Endpoint(each["url"], each.get("node", "")) for each in endpoints]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OSError(f"the gateway at {url} answered what is no endpoint list: {error}") from None


def _refusal(error: urllib.error.HTTPError) -> Exception:
    try:
        problem = refused_by_http(json.loads(error.read(MAX_ANSWER_BYTES)))
    except (ValueError, AttributeError):
        problem = Refused("", f"the gateway answered {error.code}")
    if error.code in (400, 401, 403):
        return problem
    return OSError(f"the gateway answered {error.code}: {problem.message}")
