"""The gateway of a router, put together: its operations, and what they know of nodes and rules."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import trio

from backends.heat.interface import HeatStore
from backends.idempotency.interface import Idempotency
from backends.leases.interface import Registry
from backends.revocations.following import Following
from backends.revocations.interface import Revocations
from backends.revocations.known import Known
from backends.token_keys.files import load_keyring, own_keyring
from mesh.homes import Homes
from mesh.interface import Mesh
from proto.identity import NodeIdentity
from proto.ids import RandomBits
from router.gateway.authority import Authority
from router.gateway.balance import Balance
from router.gateway.counters import GatewayCounters
from router.gateway.guard import Guard
from router.gateway.keys.file import load_keys
from router.gateway.keys.ring import ApiKeys
from router.gateway.limits import CallLimits, LimitOf
from router.gateway.once import Once
from router.gateway.operation import Operation
from router.gateway.operations.accounts import AccountOperations
from router.gateway.operations.batch import BatchOperations
from router.gateway.operations.connecting import ConnectOperations
from router.gateway.operations.demo import DemoOperations
from router.gateway.operations.groups import GroupOperations
from router.gateway.operations.heat import HeatOperations
from router.gateway.operations.moderating import ModerateOperations
from router.gateway.operations.nodes import NodeOperations
from router.gateway.operations.publishing import PublishOperations
from router.gateway.operations.revoking import RevokeOperations
from router.gateway.operations.rooms import RoomOperations
from router.gateway.operations.users import UserOperations
from router.gateway.other_regions import OtherRegions
from router.gateway.pipeline import Pipeline
from router.gateway.routes import routes
from router.gateway.rules import RuleReader, View
from router.gateway.settings import GatewaySettings
from router.presence import Presence
from router.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a gateway works with, all of it from outside; times are Unix seconds."""

    mesh: Mesh
    registry: Registry
    heat: HeatStore
    revocations: Revocations
    idempotency: Idempotency
    limit_of: LimitOf
    now_s: Callable[[], float] = time.time
    random_bits: RandomBits = random.SystemRandom().getrandbits


class Gateway:
    """`routes` are its HTTP; `run` keeps what it knows of rules and revocations new."""

    def __init__(
        self,
        settings: Settings,
        node: NodeIdentity,
        presence: Presence,
        around: Surroundings,
    ) -> None:
        self.counters = GatewayCounters()
        self.rules = View()
        self.api_keys = ApiKeys(load_keys(settings.gateway.api_keys_file))
        self._settings = settings
        self._node = node
        self._presence = presence
        self._around = around
        self._balance = Balance(node.region)
        self._reader = RuleReader(around.heat, node.node, self.rules)
        self.revoked = Known()
        self._following = Following(around.revocations, self.revoked, self._now_ms)
        self._keyring, self._own = load_keyring(settings.tokens), own_keyring(settings.tokens)
        self._authority = Authority(self._keyring, self.api_keys, self.revoked, around.now_s)
        self._pipeline = Pipeline(
            self._authority,
            CallLimits(around.limit_of),
            Once(around.idempotency, self.counters, around.random_bits),
            self.counters,
            self._current,
            around.random_bits,
        )
        self.operations = self._with_batch(self._operations())
        self.guard = Guard(settings.gateway, self.counters)
        self.routes = self.guard.before(
            routes(self.operations, self._pipeline, self.counters, self._current)
        )

    @property
    def lapses(self) -> int:
        """Clients refused because the rules of hot rooms were not known."""
        return self.rules.lapses

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload, and the API keys. Raises `ValueError`, and changes
        nothing, for keys that can't be used."""
        keyring, own = load_keyring(settings.tokens), own_keyring(settings.tokens)
        api_keys = load_keys(settings.gateway.api_keys_file)
        self._keyring.replace(keyring)
        self._own.replace(own)
        self.api_keys.replace(api_keys)
        self.guard.reconfigured(settings.gateway)
        self._settings = settings

    def _current(self) -> GatewaySettings:
        return self._settings.gateway

    def tick(self) -> None:
        """Forget what the nodes' next reports will show; once for each renewal of their leases."""
        self._balance.tick()

    async def run(self) -> None:
        """Read the rules, and what was revoked, for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reader.run)
            nursery.start_soon(self._following.run)

    def _now_ms(self) -> int:
        return round(self._around.now_s() * 1000)

    def _operations(self) -> list[Operation]:
        around = self._around
        connect = ConnectOperations(
            self._presence, self._balance, self.rules, self.counters, self._current
        )
        others = self._settings.regions.others(self._node.region)
        nodes = NodeOperations(
            around.registry,
            self._presence,
            self.rules,
            OtherRegions(around.mesh, self._node.region, others),
            self._authority,
            self._current,
            around.now_s,
        )
        return [
            *connect.operations(),
            *PublishOperations(around.mesh, self.counters).operations(),
            *RoomOperations(around.mesh).operations(),
            *ModerateOperations(around.mesh).operations(),
            *UserOperations(around.mesh).operations(),
            *GroupOperations(around.mesh).operations(),
            *AccountOperations(around.mesh).operations(),
            *RevokeOperations(around.mesh).operations(),
            *self._heat().operations(),
            *nodes.operations(),
            *self._demo(),
        ]

    def _with_batch(self, operations: list[Operation]) -> list[Operation]:
        batch = BatchOperations(self._pipeline, operations, self.counters)
        return operations + batch.operations()

    def _heat(self) -> HeatOperations:
        settings, around = self._settings, self._around
        homes = Homes(settings.regions, self._node.region)
        upgrades = settings.provisioner.kind != "none"
        return HeatOperations(around.heat, around.mesh, self._presence, self.rules, homes, upgrades)

    def _demo(self) -> list[Operation]:
        own = self._settings.gateway
        if not own.demo:
            return []
        demo = DemoOperations(
            self._own, own.demo_receipt_secret, self._around.now_s, self._around.random_bits
        )
        return demo.operations()
