"""The queue drops the least urgent first, says so, and never blocks who fills it."""

import pytest
import trio

from relaymesh_client.errors import Closed
from relaymesh_client.event_queue import MAX_KEPT, EventQueue
from relaymesh_client.events import Dropped, Event, Priority, Push
from relaymesh_client.im.events import Message, Typing
from relaymesh_client.listeners import Listeners


def push(priority: Priority, seq: int) -> Push:
    return Push("lobby", "chat", priority, "e", seq, {})


def message(n: int) -> Message:
    return Message("mailbox", n, "g:1", n, "", "message", "ann", "", 0, "", {}, False, {})


async def drain(queue: EventQueue) -> list[Event]:
    queue.end(None)
    return [event async for event in queue]


async def test_events_keep_their_order_across_priorities() -> None:
    queue = EventQueue()
    events = [push("normal", 1), push("urgent", 1), push("bulk", 1), push("normal", 2)]
    for event in events:
        queue.put(event)
    assert await drain(queue) == events


async def test_full_queue_drops_bulk_then_normal_and_tells_it() -> None:
    queue = EventQueue(capacity=2)
    for event in (push("bulk", 1), push("normal", 1), push("urgent", 1), push("urgent", 2)):
        queue.put(event)
    assert len(queue) == 2
    dropped = Dropped({"bulk": 1, "normal": 1})
    assert await drain(queue) == [dropped, push("urgent", 1), push("urgent", 2)]


async def test_instant_messages_are_never_dropped_and_say_when_there_is_room() -> None:
    rung: list[int] = []
    queue = EventQueue(capacity=1, on_room=lambda: rung.append(len(queue)))
    queue.put(push("urgent", 1))
    for number in range(MAX_KEPT + 1):
        queue.put(message(number))
    queue.put(push("bulk", 1))
    assert not queue.has_room
    assert await queue.get() == Dropped({"urgent": 1})
    assert [await queue.get() for _ in range(3)] == [message(number) for number in range(3)]
    assert queue.has_room
    assert rung == [MAX_KEPT + 1]


async def test_signals_go_first() -> None:
    queue = EventQueue(capacity=2)
    typing = Typing("g:1", "ann", True)
    for event in (typing, push("normal", 1), push("urgent", 1)):
        queue.put(event)
    assert await drain(queue) == [Dropped({"bulk": 1}), push("normal", 1), push("urgent", 1)]


async def test_each_queue_has_what_it_wants() -> None:
    listeners = Listeners(lambda: None)
    late = listeners.add(lambda event: isinstance(event, Push) and event.seq > 1, 10)
    listeners.put(push("normal", 1))
    listeners.put(push("normal", 2))
    assert await drain(late) == [push("normal", 2)]


async def test_instant_messages_wait_for_the_first_queue_that_wants_them() -> None:
    listeners = Listeners(lambda: None)
    listeners.put(push("normal", 1))
    listeners.put(message(1))
    assert not listeners.have_room
    listeners.add(lambda event: isinstance(event, Push), 10)
    assert not listeners.have_room
    queue = listeners.add(lambda event: isinstance(event, Message), 10)
    assert listeners.have_room
    assert await drain(queue) == [message(1)]


async def test_several_readers_share_a_queue(autojump_clock: trio.testing.MockClock) -> None:
    queue, got = EventQueue(), []

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
    queue = EventQueue()
    queue.put(push("normal", 1))
    queue.end(Closed("token expired", 4002))
    assert await queue.get() == push("normal", 1)
    with pytest.raises(Closed, match="expired"):
        await queue.get()
