"""The queue drops the least urgent first, says so, and never blocks who fills it."""

import pytest
import trio

from relaymesh_client.errors import Closed
from relaymesh_client.event_queue import EventQueue
from relaymesh_client.events import Dropped, Event, Priority, Push


def push(priority: Priority, seq: int) -> Push:
    return Push("lobby", "chat", priority, "e", seq, {})


async def drain(queue: EventQueue) -> list[Event]:
    queue.end(None)
    return [event async for event in queue]


async def test_events_keep_their_order_across_priorities() -> None:
    queue = EventQueue(lambda _: True)
    events = [push("normal", 1), push("urgent", 1), push("bulk", 1), push("normal", 2)]
    for event in events:
        queue.put(event)
    assert await drain(queue) == events


async def test_full_queue_drops_bulk_then_normal_and_tells_it() -> None:
    queue = EventQueue(lambda _: True, capacity=2)
    for event in (push("bulk", 1), push("normal", 1), push("urgent", 1), push("urgent", 2)):
        queue.put(event)
    assert len(queue) == 2
    dropped = Dropped({"bulk": 1, "normal": 1})
    assert await drain(queue) == [dropped, push("urgent", 1), push("urgent", 2)]


async def test_unwanted_events_are_left_out() -> None:
    queue = EventQueue(lambda event: isinstance(event, Push) and event.seq > 1)
    queue.put(push("normal", 1))
    queue.put(push("normal", 2))
    assert await drain(queue) == [push("normal", 2)]


async def test_several_readers_share_a_queue(autojump_clock: trio.testing.MockClock) -> None:
    queue, got = EventQueue(lambda _: True), []

    async def read() -> None:
        got.append(await queue.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        queue.put(push("normal", 1))
        queue.put(push("normal", 2))
    assert sorted(event.seq for event in got) == [1, 2]


async def test_end_with_a_problem_raises_it_behind_the_last_event() -> None:
    queue = EventQueue(lambda _: True)
    queue.put(push("normal", 1))
    queue.end(Closed("token expired", 4002))
    assert await queue.get() == push("normal", 1)
    with pytest.raises(Closed, match="expired"):
        await queue.get()
