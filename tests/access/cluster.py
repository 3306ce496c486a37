"""A cluster in memory for tests of the session layer: a mesh with a room log behind it."""

import json
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trio
import trio.testing

from access.edge.interface import Handler
from access.edge.memory import MemoryConnection, MemoryEdge
from access.node import AccessNode
from access.settings import Settings
from backends.errors import StoreUnavailableError
from backends.leases.memory import MemoryRegistry
from backends.one_use.memory import MemoryOneUse
from backends.revocations.memory import MemoryRevocations
from backends.routes.memory import MemoryRoutes
from mesh.interface import Receive
from proto import envelopes, services
from proto.client_requests import MAX_FETCH
from proto.conversations import hot_stream
from proto.envelopes import Envelope, Kind
from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader, RoomHeader, UsersHeader, encode_header
from proto.heat import Rule
from proto.identity import NodeIdentity
from proto.moderation import Standing
from proto.priorities import Priority
from proto.rendezvous import ranked
from proto.server_frames import encode_json, numbered, room_push
from proto.services import FetchAnswer, Method
from proto.tokens import Claims, mint
from tests.access.im import logic as im_logic
from tests.access.im.logic import ImLogic

SECRET = "a secret of more than thirty-two bytes, for tests"
NOW_MS = 1_790_000_000_000


def one_envelope(raw: bytes) -> Envelope:
    """Return the envelope in the bytes that `encode` made."""
    (envelope,) = envelopes.split(envelopes.BATCH_START + raw)
    return envelope


class RoomLog:
    """What logic would keep of one room."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.frames: list[list[bytes]] = [[], [], []]
        self.oldest = [1, 1, 1]
        self.likes = 0
        self.online = 0
        self.most = MAX_FETCH
        """Frames in one answer: fewer where they are big."""

    def append(self, room: str, priority: Priority, kind: str, fields: dict[str, Any]) -> int:
        """Number and keep a message; returns its number."""
        frames = self.frames[priority]
        push = room_push(kind, room, priority, encode_json(fields))
        frames.append(numbered(push, self.epoch, len(frames) + 1))
        return len(frames)

    def fetch(self, body: services.FetchBody) -> FetchAnswer:
        """Answer as a room log does."""
        frames = self.frames[body.priority]
        head, oldest = len(frames), self.oldest[body.priority]
        last = min(body.last_seq or head, head)
        first = max(body.first_seq, oldest)
        if body.epoch != self.epoch:
            return FetchAnswer(self.epoch, head, oldest, [])
        found = [(seq, frames[seq - 1]) for seq in range(first, last + 1)]
        return FetchAnswer(self.epoch, head, oldest, found[: self.most])


@dataclass
class Asked:
    """One request as the mesh got it."""

    method: Method
    priority: Priority
    body: bytes
    facts: dict[str, Any]


@dataclass
class FakeMesh:
    """Implements `mesh.interface.Mesh` over room logs in memory."""

    changes = 0
    certificate = None

    receive: Receive
    relays: list[str] = field(default_factory=lambda: ["relay-1", "relay-2"])
    logs: dict[str, RoomLog] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    wanted_once: set[str] = field(default_factory=set)
    rules: dict[str, Rule] = field(default_factory=dict)
    """What holds for rooms, as routers and logic know it."""
    standings: dict[str, Standing] = field(default_factory=dict)
    """How rooms are moderated, as logic knows it."""
    asked: list[Asked] = field(default_factory=list)
    rtt_s: float = 0.001
    down: RequestError | None = None
    """What every request fails with while it is set."""
    failures: deque[RequestError] = field(default_factory=deque)
    confirm: trio.Event | None = None
    """Where it is set, the interest is confirmed when it is."""
    before_answer: Callable[[Method], Awaitable[None]] | None = None
    counters: dict[str, services.LikeCount] = field(default_factory=dict)
    census: list[services.RoomCensus] = field(default_factory=list)
    im: ImLogic = field(default_factory=ImLogic)

    def carriers(self, key: str) -> list[str]:
        return ranked(key, self.relays)

    async def send(self, relay: str, priority: Priority, envelope: bytes) -> None:
        raise AssertionError("access sends nothing by itself")

    def offer(self, relay: str, priority: Priority, envelope: bytes) -> bool:
        raise AssertionError("access sends nothing by itself")

    def want(self, room: str) -> None:
        self.wanted.add(room)

    def unwant(self, room: str) -> None:
        self.wanted.discard(room)

    def want_once(self, key: str) -> None:
        self.wanted_once.add(key)

    def unwant_once(self, key: str) -> None:
        self.wanted_once.discard(key)

    async def confirmed(self, room: str) -> None:
        assert room in self.wanted | self.wanted_once
        await trio.sleep(self.rtt_s)
        if self.confirm is not None:
            await self.confirm.wait()
        if not self.relays:
            raise RequestError(ErrorCode.UNAVAILABLE, "no relay", retry_after_ms=1000)

    async def request(
        self, method: Method, priority: Priority, body: bytes = b"", **facts: Any
    ) -> bytes:
        self.asked.append(Asked(method, priority, body, facts))
        await trio.sleep(self.rtt_s)
        if self.before_answer is not None:
            await self.before_answer(method)
        if self.failures:
            raise self.failures.popleft()
        if self.down is not None:
            raise self.down
        return self._answer(method, body, facts)

    def log(self, room: str) -> RoomLog:
        return self.logs.setdefault(room, RoomLog("e1"))

    def asked_for(self, method: Method) -> list[Asked]:
        return [asked for asked in self.asked if asked.method is method]

    def likes(self, room: str) -> int:
        return sum(count.count for count in self.counters.values() if count.room == room)

    def _answer(self, method: Method, body: bytes, facts: dict[str, Any]) -> bytes:
        if method in im_logic.METHODS:
            return self.im.answer(method, body, facts)
        log = self.log(facts.get("room", ""))
        if method is Method.HEADS:
            seqs = (len(log.frames[0]), len(log.frames[1]), len(log.frames[2]))
            rule = self.rules.get(facts["room"])
            heads = HeadsHeader(log.epoch, seqs, log.likes, log.online, rule)
            standing = self.standings.get(facts["room"])
            return encode_header(msgspec.structs.replace(heads, standing=standing))
        if method is Method.FETCH:
            return services.encode(log.fetch(services.decode_fetch(body)))
        if method is Method.PUBLISH:
            return self._publish(body, facts)
        if method is Method.LIKES:
            for count in services.decode_likes(body).counts:
                known = self.counters.get(count.counter)
                if known is None or known.count < count.count:
                    self.counters[count.counter] = count
            return b""
        return self._note(method, body)

    def _note(self, method: Method, body: bytes) -> bytes:
        if method is Method.ROUTES:
            return b""
        if method is Method.MODERATE:
            return b'{"asked":%b}' % body
        assert method is Method.CENSUS
        self.census += services.decode_census(body).rooms
        return b""

    def _publish(self, body: bytes, facts: dict[str, Any]) -> bytes:
        request = json.loads(body)
        urgent = request["op"] == "speech"
        priority = Priority.URGENT if urgent else Priority.NORMAL
        fields = {"uid": facts["uid"], "text": request.get("text", ""), "trace": facts["trace"]}
        seq = self.say(facts["room"], priority, request["op"], fields, trace=facts["trace"])
        log = self.log(facts["room"])
        return encode_json({"room": facts["room"], "epoch": log.epoch, "seq": seq})

    def say(
        self,
        room: str,
        priority: Priority = Priority.NORMAL,
        kind: str = "chat",
        fields: dict[str, Any] | None = None,
        *,
        lost: bool = False,
        trace: str = "t",
    ) -> int:
        """Publish a message; `lost` ones are in the log and never arrive."""
        seq = self.log(room).append(room, priority, kind, fields or {"text": "x"})
        if not lost:
            self.bring(room, priority, seq, trace)
        return seq

    def bring(self, room: str, priority: Priority, seq: int, trace: str = "t") -> None:
        """Let a message of the log arrive (again)."""
        log = self.log(room)
        header = encode_header(RoomHeader(log.epoch, seq, NOW_MS, trace))
        frame = log.frames[priority][seq - 1]
        raw = envelopes.encode(Kind.ROOM, priority, room.encode(), header, frame)
        self.receive("relay-1", one_envelope(raw))

    def heads(self, room: str) -> None:
        """Repeat the heads, as a router does each second."""
        log = self.log(room)
        seqs = (len(log.frames[0]), len(log.frames[1]), len(log.frames[2]))
        header = encode_header(HeadsHeader(log.epoch, seqs, rule=self.rules.get(room)))
        raw = envelopes.encode(Kind.HEADS, Priority.NORMAL, room.encode(), header)
        self.receive("relay-1", one_envelope(raw))

    def numbered(self, numbers: dict[str, int], body: bytes, message_id: str = "c/1") -> None:
        """Bring a message with its numbers in users' mailboxes."""
        header = UsersHeader(message_id, list(numbers), NOW_MS, "t", list(numbers.values()))
        raw = envelopes.encode(Kind.USERS, Priority.NORMAL, b"", encode_header(header), body)
        self.receive("relay-1", one_envelope(raw))

    def hot(self, conv: str, seq: int, frame: bytes) -> None:
        """Bring a message of a hot group, if anybody here wants it."""
        key = hot_stream(conv)
        if key not in self.wanted:
            return
        header = encode_header(RoomHeader(self.im.epoch, seq, NOW_MS, "t"))
        raw = envelopes.encode(Kind.ROOM, Priority.NORMAL, key.encode(), header, frame)
        self.receive("relay-1", one_envelope(raw))

    def users(
        self, message_id: str, uids: list[str], body: bytes, priority: Priority = Priority.NORMAL
    ) -> None:
        """Bring a message to users."""
        header = encode_header(UsersHeader(message_id, uids, NOW_MS, "t"))
        raw = envelopes.encode(Kind.USERS, priority, b"", header, body)
        self.receive("relay-1", one_envelope(raw))


class Store:
    """Routes and leases in memory that can be away."""

    def __init__(self) -> None:
        self.routes = MemoryRoutes()
        self.registry = MemoryRegistry(trio.current_time)
        self.one_use = MemoryOneUse(trio.current_time)
        self.revocations = MemoryRevocations(lambda: NOW_MS)
        self.away = False

    def check(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")

    async def revoke(self, revocations: Any) -> None:
        self.check()
        await self.revocations.revoke(revocations)

    async def since(self, version: int) -> Any:
        self.check()
        return await self.revocations.since(version)

    async def add(self, routes: Any) -> None:
        self.check()
        await self.routes.add(routes)

    async def remove(self, routes: Any) -> None:
        self.check()
        await self.routes.remove(routes)

    async def lookup(self, uids: Any) -> Any:
        self.check()
        return await self.routes.lookup(uids)

    async def renew(self, lease: Any) -> Any:
        self.check()
        return await self.registry.renew(lease)

    async def order_drain(self, node: str) -> Any:
        self.check()
        return await self.registry.order_drain(node)

    async def resign(self, node: str, incarnation: str) -> None:
        self.check()
        await self.registry.resign(node, incarnation)

    async def living(self, role: str = "") -> Any:
        self.check()
        return await self.registry.living(role)

    async def living_in(self, pool: str, most: int) -> Any:
        self.check()
        return await self.registry.living_in(pool, most)

    async def use(self, token_id: str, ttl_s: float) -> bool:
        self.check()
        return await self.one_use.use(token_id, ttl_s)

    async def settled(self) -> bool:
        self.check()
        return await self.registry.settled()


class Client:
    """One connection with what it has received."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.connection: MemoryConnection = world.edge.connect()
        self.frames: list[dict[str, Any]] = []
        self._id = 0

    def send(self, op: str, **fields: Any) -> int:
        """Send a request and return its id."""
        self._id += 1
        self.raw(json.dumps({"op": op, "id": self._id, **fields}).encode())
        return self._id

    def raw(self, text: bytes) -> None:
        self.world.edge.receive(self.connection, text)

    def read(self) -> list[dict[str, Any]]:
        """Return all frames so far, in order."""
        for message in self.connection.messages():
            frames = json.loads(message)
            assert isinstance(frames, list)
            self.frames += frames
        return self.frames

    def replies(self, request: int | None) -> list[dict[str, Any]]:
        return [frame for frame in self.read() if "reply" in frame and frame["reply"] == request]

    def pushes(self, kind: str | None = None) -> list[dict[str, Any]]:
        return [f for f in self.read() if "push" in f and kind in (None, f["push"])]

    def seqs(self, priority: str = "normal") -> list[int]:
        return [f["seq"] for f in self.pushes() if f.get("priority") == priority and "seq" in f]

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return its reply; exactly one must come."""
        return await self.reply(self.send(op, **fields))

    async def reply(self, request: int | None) -> dict[str, Any]:
        with trio.fail_after(60):
            while not self.replies(request):
                await self.world.settle(0.005)
        (reply,) = self.replies(request)
        return reply

    async def hello(self, uid: str = "ann", **fields: Any) -> dict[str, Any]:
        claims: dict[str, Any] = {
            key: fields.pop(key) for key in ("host", "mod", "role", "name") if key in fields
        }
        reply = await self.ask("hello", token=token(uid, **claims), **fields)
        return reply["ok"]  # type: ignore[no-any-return]


def token(
    uid: str = "ann", *, expires_in_s: int = 3600, secret: str = SECRET, **claims: Any
) -> str:
    """Return a token for `uid`."""
    return mint(Claims(sub=uid, exp=NOW_MS // 1000 + expires_in_s, **claims), secret)


class World:
    """One access node in memory."""

    def __init__(self, nursery: trio.Nursery, settings: Settings) -> None:
        self.store = Store()
        self.now_ms = NOW_MS
        self.rng: random.Random | None = None
        """Where nothing is given, all that is drawn is a half."""
        self.node = AccessNode(
            settings,
            NodeIdentity(node="access-1", region="local", incarnation="i1"),
            nursery,
            edge_of=self._edge,
            mesh_of=self._mesh,
            routes=self.store,
            registry=self.store,
            one_use=self.store,
            revocations=self.store,
            now_ms=lambda: self.now_ms,
            random=self._draw,
            random_bits=random.Random(7).getrandbits,
        )

    def _draw(self) -> float:
        return 0.5 if self.rng is None else self.rng.random()

    def _edge(self, handler: Handler) -> MemoryEdge:
        self.edge = MemoryEdge(handler)
        return self.edge

    def _mesh(self, receive: Receive) -> FakeMesh:
        self.mesh = FakeMesh(receive)
        return self.mesh

    async def settle(self, seconds: float = 0.0) -> None:
        """Let everything go on for `seconds`, with the edge's late calls made."""
        until = trio.current_time() + seconds
        step = 0.005 if seconds <= 1 else 0.05 if seconds <= 20 else 0.5
        while True:
            await trio.testing.wait_all_tasks_blocked()
            self.edge.settle()
            left = until - trio.current_time()
            if left <= 0:
                await trio.testing.wait_all_tasks_blocked()
                return
            idle = trio.lowlevel.current_statistics().seconds_to_next_deadline
            await trio.sleep(min(left, max(step, idle)))

    def client(self) -> Client:
        return Client(self)


MakeWorld = Callable[..., World]
"""Takes fields of `Settings`."""
