"""Twins of the outer parts, small and faithful, for the router's tests."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from backends.heat.interface import Kept, Retag, Retagged, Rules, Tag
from backends.leases.interface import Lost, NodeLease, Orders
from mesh.interface import RelayDownError
from proto.envelopes import BATCH_START, Envelope, split
from proto.heat import Rule, Wish
from proto.priorities import Priority
from proto.records import Record, RecordHeader
from proto.rendezvous import ranked
from proto.services import Method


class FakeMesh:
    """Relays that take everything, push back on `held` lanes, or are down."""

    certificate = None

    def __init__(self, relays: Sequence[str] = ("relay-1", "relay-2")) -> None:
        self.up = list(relays)
        self.broken: set[str] = set()
        self.held: dict[Priority, trio.Event] = {}
        self.full: set[str] = set()
        self.sent: list[tuple[str, Priority, Envelope]] = []
        self.requests: list[tuple[Method, Priority, bytes, dict[str, Any]]] = []
        self.answer: Callable[[], bytes] = lambda: b'{"mid":"m"}'
        self.before_answer: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint

    def carriers(self, key: str) -> list[str]:
        return ranked(key, self.up)

    async def send(self, relay: str, priority: Priority, envelope: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if relay in self.broken or relay not in self.up:
            raise RelayDownError(relay)
        if priority in self.held:
            await self.held[priority].wait()
        self._take(relay, priority, envelope)

    def offer(self, relay: str, priority: Priority, envelope: bytes) -> bool:
        if relay in self.full:
            return False
        self._take(relay, priority, envelope)
        return True

    def want(self, room: str) -> None:
        raise AssertionError("a router wants no room")

    def unwant(self, room: str) -> None:
        raise AssertionError("a router wants no room")

    def want_once(self, key: str) -> None:
        raise AssertionError("a router wants no room")

    def unwant_once(self, key: str) -> None:
        raise AssertionError("a router wants no room")

    async def confirmed(self, room: str) -> None:
        raise AssertionError("a router wants no room")

    async def request(
        self, method: Method, priority: Priority, body: bytes = b"", **rest: Any
    ) -> bytes:
        await trio.lowlevel.checkpoint()
        self.requests.append((method, priority, body, rest))
        await self.before_answer()
        return self.answer()

    def bodies(self, priority: Priority | None = None) -> list[bytes]:
        return [e.body for _, lane, e in self.sent if priority in (None, lane)]

    def _take(self, relay: str, priority: Priority, envelope: bytes) -> None:
        (one,) = split(BATCH_START + envelope)
        self.sent.append((relay, priority, one))


def lease(node: str, role: str = "access", incarnation: str = "i1", **status: Any) -> NodeLease:
    url = f"ws://{node}/v1" if role == "access" else f"http://{node}"
    return NodeLease(node, role, "local", incarnation, url, status)


class FixedRegistry:
    """Leases as a test says; a failure where it says so."""

    def __init__(self, *leases: NodeLease, settled: bool = True) -> None:
        self.leases = list(leases)
        self.is_settled = settled
        self.gone: list[Lost] = []
        self.failure: Exception | None = None
        self.reads = 0
        self.renewed: list[NodeLease] = []
        self.resigned: list[tuple[str, str]] = []
        self.ordered: list[str] = []

    async def renew(self, lease: NodeLease) -> Orders:
        self.renewed.append(lease)
        return Orders()

    async def order_drain(self, node: str) -> str | None:
        await trio.lowlevel.checkpoint()
        if self.failure:
            raise self.failure
        lives = {lease.node: lease.incarnation for lease in self.leases}
        self.ordered += [node] if node in lives else []
        return lives.get(node)

    async def resign(self, node: str, incarnation: str) -> None:
        self.resigned.append((node, incarnation))

    async def living(self, role: str = "") -> list[NodeLease]:
        await trio.lowlevel.checkpoint()
        self.reads += 1
        if self.failure:
            raise self.failure
        return [lease for lease in self.leases if role in ("", lease.role)]

    async def living_in(self, pool: str, most: int) -> list[NodeLease]:
        return [lease for lease in await self.living("access") if lease.pool == pool][:most]

    async def lost(self) -> list[Lost]:
        return self.gone

    async def settled(self) -> bool:
        await trio.lowlevel.checkpoint()
        return self.is_settled


class FixedHeat:
    """Rules, tags and wishes as a test says; a failure where it says so."""

    def __init__(self, *rules: Rule, version: int = 1) -> None:
        self.current = Rules(version, {rule.room: rule for rule in rules})
        self.kept: dict[str, Kept] = {}
        self.tagged: dict[str, Tag] = {}
        self.wished: dict[str, Wish] = {}
        self.acknowledgements: list[tuple[str, int]] = []
        self.failure: Exception | None = None
        self.takes_s = 0.0

    async def load(self, room: str) -> Kept | None:
        await self._answer()
        return self.kept.get(room)

    async def rules(self) -> Rules:
        await self._answer()
        return self.current

    async def acknowledge(self, gateway: str, version: int) -> None:
        await self._answer()
        self.acknowledgements.append((gateway, version))

    async def acknowledged(self) -> dict[str, int]:
        await self._answer()
        return dict(self.acknowledgements)

    async def tags(self) -> dict[str, Tag]:
        await self._answer()
        return dict(self.tagged)

    async def retag(self, room: str, change: Retag) -> Retagged:
        await self._answer()
        before = self.tagged.pop(room, None)
        after = change(before)
        self.tagged |= {room: after} if after else {}
        return Retagged(before, after)

    async def untag(self, room: str) -> None:
        await self._answer()
        self.tagged.pop(room, None)

    async def wishes(self) -> dict[str, Wish]:
        await self._answer()
        return dict(self.wished)

    async def wish(self, room: str, wish: Wish) -> None:
        await self._answer()
        self.wished[room] = wish

    async def _answer(self) -> None:
        await trio.sleep(self.takes_s)
        if self.failure:
            raise self.failure


def room_record(room: str, seq: int, priority: str = "normal", **fields: Any) -> Record:
    header = RecordHeader(
        id=fields.pop("id", f"{room}-{priority}-{seq}"),
        kind="room",
        ts_ms=0,
        room=room,
        priority=priority,
        epoch="e1",
        seq=seq,
        **fields,
    )
    return Record(header, f"{room}/{priority}/{seq}".encode())


def users_record(
    record_id: str,
    uids: Sequence[str],
    priority: str = "normal",
    body: bytes = b"hi",
    seqs: Sequence[int] = (),
) -> Record:
    header = RecordHeader(
        id=record_id,
        kind="users",
        ts_ms=0,
        priority=priority,
        uids=tuple(uids),
        seqs=tuple(seqs),
    )
    return Record(header, body)
