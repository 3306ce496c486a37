"""Events, the sweeper, and a node that loses the bus."""

from typing import Any

import pytest
import trio
import trio.testing
from sqlalchemy import insert

from backends.bus.interface import BusUnavailableError
from backends.database.schema import outbox
from logic.im.events import BATCH_EVENTS, Events
from logic.im.settings import ImSettings
from proto.conversations import direct
from proto.topics import Topic

CHAT = direct("ann", "bob")


class SlowBus:
    """Takes records when it is told to; `away` refuses them."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.free = trio.Event()
        self.away = False

    async def publish(self, topic: Topic, records: Any) -> None:
        assert topic is Topic.CONVERSATIONS
        await self.free.wait()
        if self.away:
            raise BusUnavailableError("away")
        self.taken.extend((r.header.room, r.header.seq, r.header.ts_ms) for r in records)


async def test_events_of_one_conversation_become_one_with_the_age_of_the_oldest(
    autojump_clock, nursery
):
    bus = SlowBus()
    events = Events(bus, limit=10)  # type: ignore[arg-type]
    events.put("g:1", 3, 1000)
    events.put("g:2", 1, 1001)
    events.put("g:1", 5, 1002)
    events.put("g:1", 4, 1003)
    bus.free.set()
    nursery.start_soon(events.run)
    await events.drained()
    assert bus.taken == [("g:1", 5, 1000), ("g:2", 1, 1001)]


async def test_a_bus_that_is_away_costs_events_and_nothing_waits_for_it(autojump_clock, nursery):
    bus = SlowBus()
    events = Events(bus, limit=10)  # type: ignore[arg-type]
    nursery.start_soon(events.run)
    events.put("g:0", 1, 1)
    await trio.testing.wait_all_tasks_blocked()
    for n in range(1, 13):
        events.put(f"g:{n}", 1, 1)
    assert (events.depth, events.dropped) == (11, 2)
    bus.away = True
    bus.free.set()
    await events.drained()
    assert (events.dropped, events.published) == (13, 0)
    bus.away = False
    events.put("g:1", 2, 2)
    await events.drained()
    assert bus.taken == [("g:1", 2, 2)]


async def test_many_go_in_batches(autojump_clock, nursery):
    bus = SlowBus()
    bus.free.set()
    events = Events(bus, limit=5000)  # type: ignore[arg-type]
    for n in range(BATCH_EVENTS * 2 + 1):
        events.put(f"g:{n}", 1, 1)
    nursery.start_soon(events.run)
    await events.drained()
    assert len(bus.taken) == BATCH_EVENTS * 2 + 1


@pytest.fixture
def left_behind(database, world):
    """Put rows into the outbox, as old as is said, as a crash leaves them."""

    async def left_behind(*convs: str, age_s: float = 5.0, seqs: range = range(1, 3)) -> None:
        ts = world.parts.now_ms() - round(age_s * 1000)
        rows = [{"conv": conv, "seq": seq, "ts": ts} for conv in convs for seq in seqs]
        await database.write(lambda c: c.execute(insert(outbox), rows) and None)

    return left_behind


async def test_what_a_crash_left_in_the_outbox_comes_on_the_bus(
    autojump_clock, im, left_behind, world
):
    await left_behind("g:1", "g:2")
    await left_behind("g:young", age_s=0.0)
    await im.im.sweeper.sweep()
    await im.im.events.drained()
    found = [(r.header.room, r.header.seq) for r in world.records(Topic.CONVERSATIONS)]
    assert found == [("g:1", 2), ("g:2", 2)]
    assert im.im.sweeper.overdue == 2


async def test_a_long_outbox_is_swept_in_pages_over_and_over(
    autojump_clock, nursery, world, left_behind
):
    convs = [f"g:{n}" for n in range(5)]
    await left_behind(*convs)
    node = world.logic(im=ImSettings(sweep_most=2))
    nursery.start_soon(node.im.events.run)
    seen = []
    for _ in range(6):
        await node.im.sweeper.sweep()
        await node.im.events.drained()
        seen.append([r.header.room for r in world.records(Topic.CONVERSATIONS)])
    assert seen[2] == convs
    assert seen[5] == convs * 2


async def test_the_sweeper_lives_through_a_database_that_is_away(
    autojump_clock, running, people, database, world, rows
):
    node, _ = await running()
    await trio.sleep(1)
    await database.write(lambda c: c.exec_driver_sql("ALTER TABLE outbox RENAME TO away") and None)
    await trio.sleep(10)
    await database.write(lambda c: c.exec_driver_sql("ALTER TABLE away RENAME TO outbox") and None)
    row = {"conv": "g:1", "seq": 1, "ts": world.parts.now_ms() - 5000}
    await database.write(lambda c: c.execute(insert(outbox), [row]) and None)
    await trio.sleep(5)
    assert node.im.sweeper.swept > 0


async def test_what_the_bus_did_not_take_is_swept_when_it_is_back(
    autojump_clock, running, ask_im, people, rows, world, im
):
    await people.befriend("ann", "bob")
    world.broker.stop()
    await ask_im("ann", "send", conv=CHAT, mid="m", text="hi")
    await trio.sleep(3)
    assert im.im.events.dropped == 1
    world.broker.start()
    await running()
    await trio.sleep(10)
    assert await rows(outbox) == []
