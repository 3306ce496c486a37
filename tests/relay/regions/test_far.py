"""Regions that are 80 ms apart: how long a message takes, and how much a link carries."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock as Clock

from backends.links.memory import MemoryNetwork
from mesh.batching import BATCH_BYTES, LINGER_S
from proto.envelopes import Envelope, Kind, encode
from proto.headers import RoomHeader, encode_header
from proto.priorities import Priority

from .world import World, room_message, until

ONE_WAY_S = 0.04


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        world = World(nursery, MemoryNetwork(), {"eu": 1, "us": 1})
        world.delay("eu", "us", ONE_WAY_S)
        await world.start()
        yield world
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("lane", Priority)
async def test_a_busy_lane_never_waits_for_credit(
    world: World, autojump_clock: Clock, lane: Priority
) -> None:
    router = await world.node("eu-router", "router")
    node = await world.node("us-access", "access", "eu-room")
    sent_at: list[float] = []
    took: list[float] = []

    def receive(relay: str, envelope: Envelope) -> None:
        took.append(trio.current_time() - sent_at[int(envelope.body)])

    node.mesh._receive = receive
    for seq in range(500):
        sent_at.append(trio.current_time())
        router.mesh.offer("eu-1", lane, room_message("eu-room", seq, lane))
        await trio.sleep(0.003)
    await until(lambda: len(took) == 500)
    assert max(took) < ONE_WAY_S + 4 * LINGER_S[lane] + 0.01


async def test_a_link_carries_what_a_relay_can_send(world: World, autojump_clock: Clock) -> None:
    router = await world.node("eu-router", "router")
    node = await world.node("us-access", "access", "eu-room")
    body, count = b"x" * (BATCH_BYTES // 2), 400
    envelope = encode(
        Kind.ROOM, Priority.NORMAL, b"eu-room", encode_header(RoomHeader("e", 1, 0)), body
    )
    began = trio.current_time()
    for number in range(count):
        await router.mesh.send("eu-1", Priority.NORMAL, envelope)
        if number % 4 == 3:
            await trio.sleep(0.005)
    await until(lambda: len(node.received) == count)
    per_s = count * len(body) / (trio.current_time() - began)
    assert per_s > 25 << 20, "MiB a second, by one lane of one pair of relays"
