"""The gateway of a router, put together: its handlers, and what they know of nodes and rules."""

import random
import time

import trio

from backends.heat.interface import HeatStore
from backends.leases.interface import Registry
from backends.revocations.following import Following
from backends.revocations.interface import Revocations
from backends.revocations.known import Known
from backends.token_keys.files import load_keyring, own_keyring
from mesh.homes import Homes
from mesh.interface import Mesh
from proto.identity import NodeIdentity
from router.gateway.api import Api
from router.gateway.auth import AuthApi
from router.gateway.authority import Authority
from router.gateway.balance import Balance
from router.gateway.heat import HeatApi
from router.gateway.nodes import Nodes
from router.gateway.routes import routes
from router.gateway.rules import RuleReader, View
from router.presence import Presence
from router.settings import Settings


class Gateway:
    """`routes` are its HTTP; `run` keeps what it knows of rules and revocations new."""

    def __init__(
        self,
        settings: Settings,
        node: NodeIdentity,
        presence: Presence,
        *,
        mesh: Mesh,
        registry: Registry,
        heat: HeatStore,
        revocations: Revocations,
    ) -> None:
        own, rules = settings.gateway, View()
        self._keyring, self._own = load_keyring(settings.tokens), own_keyring(settings.tokens)
        revoked = Known()
        self._following = Following(revocations, revoked, _now_ms)
        authority = Authority(self._keyring, time.time, revoked)
        random_bits = random.SystemRandom().getrandbits
        homes, upgrades = Homes(settings.regions, node.region), settings.provisioner.kind != "none"
        self._balance = Balance(node.region)
        self._reader = RuleReader(heat, node.node, rules)
        self.api = Api(
            own, authority, self._own, mesh, presence, self._balance, rules, time.time, random_bits
        )
        heat_api = HeatApi(authority, heat, mesh, presence, rules, homes, upgrades)
        auth_api = AuthApi(authority, mesh)
        self.routes = routes(self.api, Nodes(authority, registry), heat_api, auth_api, own)

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload. Raises `ValueError`, and changes nothing, for token keys
        that can't be used."""
        keyring, own = load_keyring(settings.tokens), own_keyring(settings.tokens)
        self._keyring.replace(keyring)
        self._own.replace(own)
        self.api.settings = settings.gateway

    def tick(self) -> None:
        """Forget what the nodes' next reports will show; once for each renewal of their leases."""
        self._balance.tick()

    async def run(self) -> None:
        """Read the rules, and what was revoked, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reader.run)
            nursery.start_soon(self._following.run)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
