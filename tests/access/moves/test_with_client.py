"""The real client on real sockets, moved between real access nodes: nothing is lost or doubled."""

import json
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import trio

from access.edge.opening.listening import listen
from access.edge.server import Server
from access.node import AccessNode
from access.service import drain
from access.settings import Settings
from access.thinned import encode_skipped
from proto.envelopes import Envelope
from proto.heat import HeatState, Rule
from proto.identity import NodeIdentity
from proto.server_frames import encode_json
from proto.token_settings import TokenSettings
from relaymesh_client import Client, EventQueue, Moved, Push, connect, fixed
from tests.access.cluster import NOW_MS, SECRET, FakeMesh, RoomLog, Store, token

ROOM = "lobby"
WATCHERS = ("bob", "eve", "joe")


@dataclass
class Logic(FakeMesh):
    """A node's mesh over logs that all nodes share; a `mid` is published once."""

    answers: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def _publish(self, body: bytes, facts: dict[str, Any]) -> bytes:
        request = json.loads(body)
        known = (facts["uid"], request["mid"])
        if known not in self.answers:
            answer = json.loads(super()._publish(body, facts))
            about = {"priority": "urgent" if request["op"] == "speech" else "normal", "ts": 1}
            self.answers[known] = encode_json({**answer, **about, "mid": request["mid"]})
        return self.answers[known]


class Cluster:
    """Access nodes on ports of their own, by name."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.store = Store()
        self.logs: dict[str, RoomLog] = {}
        self.answers: dict[tuple[str, str], bytes] = {}
        self.rules: dict[str, Rule] = {}
        self.nodes: dict[str, AccessNode] = {}
        self.meshes: list[Logic] = []

    def _everywhere(self, relay: str, envelope: Envelope) -> None:
        for node in self.nodes.values():
            node.receive(relay, envelope)

    def _mesh(self, receive: Any) -> Logic:
        mesh = Logic(self._everywhere, logs=self.logs, rules=self.rules, answers=self.answers)
        self.meshes.append(mesh)
        return mesh

    async def start(self, name: str, pool: str = "") -> None:
        settings = Settings(
            tokens=TokenSettings(secret=SECRET), pool=pool, lease_s=0.1, drain_s=2.0
        )
        limits = settings.edge.limits()
        node = AccessNode(
            settings,
            NodeIdentity(node=name, region="local", incarnation="i1"),
            self.nursery,
            edge_of=lambda handler: Server(limits, handler, encode_skipped),
            mesh_of=self._mesh,
            routes=self.store,
            registry=self.store,
            one_use=self.store,
            revocations=self.store,
            now_ms=lambda: NOW_MS,
            random=random.random,
            random_bits=random.getrandbits,
        )
        self.nodes[name] = node
        listener = listen("127.0.0.1", 0, limits)
        node.url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1"
        assert isinstance(node.edge, Server)
        await self.nursery.start(node.edge.serve, [listener])
        self.nursery.start_soon(node.run)
        await node.lease.renew()

    async def drain(self, name: str) -> None:
        node = self.nodes[name]
        assert isinstance(node.edge, Server)
        await drain(node, node.edge, node.settings.drain_s)

    async def rule(self, state: HeatState, fence: int) -> None:
        """Let a rule hold, and repeat it for a while."""
        self.rules[ROOM] = Rule(ROOM, state, fence, "p1", spread_ms=100)
        self.meshes[0].heads(ROOM)


@pytest.fixture
async def cluster(nursery: trio.Nursery) -> Cluster:
    return Cluster(nursery)


async def watched(
    cluster: Cluster, to: str, change: Callable[[], Awaitable[None]]
) -> tuple[list[str], dict[str, list[Push]]]:
    """Have a host and a giver talk, and all be moved by `change`; returns what was said, and what
    each heard, once all are on node `to`."""
    said: list[str] = []
    moved = trio.Event()
    async with AsyncExitStack() as stack:
        clients: dict[str, tuple[Client, EventQueue]] = {}
        for uid in ("host", "giver", *WATCHERS):
            who = token(uid, expires_in_s=600, host=(ROOM,) if uid == "host" else ())
            source = fixed(*(node.url for node in cluster.nodes.values()))
            client = await stack.enter_async_context(connect(source, who))
            clients[uid] = client, client.events()
            await client.join(ROOM)

        async def talk(say: Callable[[str], Awaitable[Any]], prefix: str) -> None:
            number = 0
            while not moved.is_set():
                number += 1
                said.append(f"{prefix}{number}")
                await say(said[-1])

        host, giver = clients["host"][0], clients["giver"][0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, lambda text: host.speech(ROOM, text), "s")
            rose = partial(giver.gift, ROOM, "rose", 1, receipt="r")
            nursery.start_soon(talk, lambda text: rose(text=text), "g")
            await change()
            while any(client.session.node != to for client, _ in clients.values()):
                await trio.sleep(0.01)
            moved.set()
        last = await host.chat(ROOM, "the end")
        heard = {uid: await _until(events, last.seq) for uid, (_, events) in clients.items()}
    return said, heard


async def _until(events: EventQueue, seq: int) -> list[Push]:
    heard: list[Push] = []
    moved = 0
    while not heard or (heard[-1].priority, heard[-1].seq) != ("normal", seq):
        event = await events.get()
        moved += isinstance(event, Moved)
        if isinstance(event, Push):
            heard.append(event)
    assert moved == 1
    return heard


def judge(cluster: Cluster, said: list[str], heard: dict[str, list[Push]]) -> None:
    for pushes in heard.values():
        for priority, prefix in (("urgent", "s"), ("normal", "g")):
            of = [push for push in pushes if push.priority == priority]
            seqs = [push.seq for push in of]
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
            texts = [push.frame["text"] for push in of if push.frame["text"] != "the end"]
            assert texts == [text for text in said if text.startswith(prefix)]


async def test_the_people_of_a_hot_room_go_to_its_pool(cluster: Cluster) -> None:
    with trio.fail_after(30):
        await cluster.start("access-1")
        await cluster.start("hot-1", "p1")
        up = await watched(cluster, "hot-1", lambda: cluster.rule(HeatState.MOVING, 1))
        judge(cluster, *up)
        assert cluster.nodes["hot-1"].counters.resumes_accepted == 5
        assert cluster.nodes["access-1"].counters.moves_overdue == 0


async def test_a_node_that_drains_hands_its_people_over(cluster: Cluster) -> None:
    with trio.fail_after(30):
        await cluster.start("access-1")
        await cluster.start("access-2")
        said, heard = await watched(cluster, "access-2", lambda: cluster.drain("access-1"))
        judge(cluster, said, heard)
        assert cluster.nodes["access-2"].counters.resumes_accepted == 5
        assert cluster.nodes["access-1"].sessions.connections == 0
