"""The hot way on a real cluster: each node gets a hot room's messages once, through one relay, and
goes on with the next relay when that one is killed."""

import random
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
import trio

from backends.heat.interface import Transition
from backends.heat.redis import RedisHeat
from backends.links.node_links import NodeLinks
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from backends.tls.settings import TlsSettings
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Envelope, Kind
from proto.headers import decode_room, encode_header
from proto.heat import HeatState, Rule, hot_key
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.rendezvous import ranked
from proto.services import FetchBody, Method, decode_fetch_answer
from tests.cluster.conftest import PATIENCE_S, Cluster, counts

pytestmark = pytest.mark.cluster_long
POOL = "pool-1"
RELAYS = ["relay-1", "relay-2"]
TOPICS = len(Priority)


class DedicatedNode:
    """A node's end of the mesh in this process, which keeps what comes of `room`."""

    def __init__(self, cluster: Cluster, name: str, room: str) -> None:
        self.room, self.epoch = room, ""
        self.came: dict[Priority, list[int]] = {priority: [] for priority in Priority}
        self.by: set[str] = set()
        tls = TlsSettings(**cluster.certificate("access", name)._asdict())
        settings = MeshSettings(relays=_config(cluster)["mesh"]["relays"], tls=tls)
        identity = NodeIdentity(node=name, region="local", incarnation="i1")
        self.mesh = MeshNode(
            identity, "access", settings, NodeLinks(tls, "access", name), self._take
        )

    def _take(self, relay: str, envelope: Envelope) -> None:
        if envelope.kind == Kind.ROOM and envelope.key == self.room.encode():
            header = decode_room(envelope.header)
            self.epoch = header.epoch
            self.came[Priority(envelope.priority)].append(header.seq)
            self.by.add(relay)

    async def ask(self) -> None:
        """Want the room by both ways, as a node does whose viewers are in it."""
        with trio.fail_after(PATIENCE_S):
            while len(self.mesh.up) < len(RELAYS):
                await trio.sleep(0.02)
        self.mesh.want(self.room)
        self.mesh.want_once(hot_key(POOL, self.room))
        await self.mesh.confirmed(self.room)
        await self.mesh.confirmed(hot_key(POOL, self.room))

    async def until(self, priority: Priority, seq: int) -> None:
        """Wait until the message `seq` is here."""
        with trio.fail_after(PATIENCE_S):
            while seq not in self.came[priority]:
                await trio.sleep(0.01)

    async def repair(self, priority: Priority, first: int, last: int) -> list[int]:
        """Fetch what is missing, as a node does whom heads have told of it."""
        body = encode_header(FetchBody(priority, self.epoch, first, last))
        answer = await self.mesh.request(Method.FETCH, priority, body, room=self.room)
        return [seq for seq, _ in decode_fetch_answer(answer).frames]


def _config(cluster: Cluster) -> dict[str, Any]:
    (file,) = cluster.state_dir.rglob("logic-1.toml")
    config: dict[str, Any] = tomllib.loads(file.read_text())["logic"]
    return config


def names_by_relay(relay: str) -> list[str]:
    """Return names of nodes that go to `relay` with the pool."""
    names = (f"hot-{number}" for number in count(1))
    found = (name for name in names if ranked(f"{name}\0{POOL}", RELAYS)[0] == relay)
    return [next(found) for _ in range(2)]


@asynccontextmanager
async def dedicated(cluster: Cluster, room: str, *names: str) -> AsyncIterator[list[DedicatedNode]]:
    async with trio.open_nursery() as nursery:
        nodes = [DedicatedNode(cluster, name, room) for name in names]
        for node in nodes:
            await nursery.start(node.mesh.run)
            await node.ask()
        yield nodes
        nursery.cancel_scope.cancel()


async def step(cluster: Cluster, room: str, fence: int, to: HeatState) -> Rule:
    settings = StoreSettings(url=_config(cluster)["store"]["url"])
    async with open_redis(settings) as redis:
        heat = RedisHeat(redis, random_bits=random.getrandbits)
        transition = Transition(room, fence, to, POOL if to.pooled else "")
        rule = await heat.advance(transition, time.time_ns() // 1_000_000)
    assert rule is not None
    return rule


async def say(cluster: Cluster, room: str, priority: Priority, messages: int) -> int:
    """Publish as a back end; returns the last number."""
    seq = 0
    for number in range(messages):
        body = {"priority": priority.label, "data": {"n": number}}
        status, answer = await cluster.publish(f"/v1/rooms/{room}/publish", body)
        assert status == 200, answer
        seq = answer["seq"]
    return seq


async def until_listened_to(cluster: Cluster, topics: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while await cluster.metric("relay", "relaymesh_relay_hot_subscriptions") != topics:
            await trio.sleep(0.05)


async def test_each_node_gets_each_message_once_in_order_and_each_relay_takes_it_once(
    cluster: Cluster, room: str
) -> None:
    names = [*names_by_relay("relay-1"), names_by_relay("relay-2")[0]]
    async with dedicated(cluster, room, *names) as nodes:
        await until_listened_to(cluster, 2 * TOPICS)
        moving = await step(cluster, room, 0, HeatState.MOVING)
        assert await say(cluster, room, Priority.NORMAL, 10) == 10
        for node in nodes:
            await node.until(Priority.NORMAL, 10)
        rule = await step(cluster, room, moving.fence, HeatState.HOT)
        assert rule.firsts[Priority.NORMAL] == 11
        async with (
            counts(cluster, "relay", "relaymesh_relay_hot_records_total", 2 * 40),
            counts(cluster, "relay", "relaymesh_relay_hot_copies_total", 3 * 40),
            counts(cluster, "logic", "relaymesh_logic_outgoing_records_total", 40, way="hot"),
            counts(cluster, "router", "relaymesh_router_routed_total", 0, mode="room"),
        ):
            assert await say(cluster, room, Priority.NORMAL, 30) == 40
            assert await say(cluster, room, Priority.URGENT, 10) == 10
            for node in nodes:
                await node.until(Priority.NORMAL, 40)
                await node.until(Priority.URGENT, 10)
        for node in nodes:
            # While both ways are open a message comes by each; the fence divides them exactly.
            normal = node.came[Priority.NORMAL]
            assert sorted(normal) == sorted([*range(1, 11), *range(1, 11), *range(11, 41)])
            assert [seq for seq in normal if seq >= rule.firsts[Priority.NORMAL]] == [
                *range(11, 41)
            ]
            assert node.came[Priority.URGENT] == [*range(1, 11)]
        cooling = await step(cluster, room, rule.fence, HeatState.COOLING)
        await step(cluster, room, cooling.fence, HeatState.NORMAL)
        assert await say(cluster, room, Priority.NORMAL, 1) == 41
        for node in nodes:
            await node.until(Priority.NORMAL, 41)
            assert node.came[Priority.NORMAL].count(41) == 1


async def test_when_its_relay_is_killed_a_node_goes_on_with_the_next_and_repairs_the_gap(
    cluster: Cluster, room: str
) -> None:
    async with dedicated(cluster, room, names_by_relay("relay-1")[0]) as (node,):
        with trio.fail_after(PATIENCE_S):
            while await cluster.metric("relay", "relaymesh_relay_hot_keys") != 1:
                await trio.sleep(0.05)
        await until_listened_to(cluster, TOPICS)
        await step(cluster, room, 0, HeatState.HOT)
        await node.until(Priority.NORMAL, await say(cluster, room, Priority.NORMAL, 5))
        assert node.by == {"relay-1"}
        with cluster.without_restarts():
            cluster.kill("relay-1")
            last = await say(cluster, room, Priority.NORMAL, 20)
            while "relay-2" not in node.by:
                last = await say(cluster, room, Priority.NORMAL, 1)
            await node.until(Priority.NORMAL, last)
        came = node.came[Priority.NORMAL]
        assert came == sorted(set(came)), "in order, and none twice"
        missing = sorted({*range(1, last + 1)} - {*came})
        if missing:
            fetched = await node.repair(Priority.NORMAL, missing[0], missing[-1])
            assert {*missing} <= {*fetched}
        # The relay comes back and is taken again, without a gap.
        with trio.fail_after(PATIENCE_S):
            while "relay-1" not in node.mesh.up:
                await trio.sleep(0.05)
            node.by.clear()
            while "relay-1" not in node.by:
                last = await say(cluster, room, Priority.NORMAL, 1)
        await node.until(Priority.NORMAL, last)
        assert {*range(came[0], last + 1)} - {*came} == {*missing}
