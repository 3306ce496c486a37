import trio
from hypothesis import given
from hypothesis import strategies as st

from backends.bus.interface import BusUnavailableError
from logic.outgoing import Outgoing
from logic.outgoing_queue import OutgoingQueue
from proto.priorities import Priority
from proto.records import Record, RecordHeader


def record(seq, room="a"):
    return Record(RecordHeader(f"{room}/{seq}", "room", 0, room=room, seq=seq), b"")


def seqs(records):
    return [each.header.seq for each in records]


def test_urgent_and_normal_drop_the_newest_bulk_the_oldest():
    kept = {}
    for priority in Priority:
        queue = OutgoingQueue(priority, 3)
        for seq in range(1, 6):
            queue.put(record(seq))
        assert (len(queue), queue.dropped) == (3, 2)
        kept[priority] = seqs(queue.take(10))
    assert kept == {
        Priority.URGENT: [1, 2, 3],
        Priority.NORMAL: [1, 2, 3],
        Priority.BULK: [3, 4, 5],
    }


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 99)), unique=True))
def test_a_room_goes_in_its_order(numbers):
    queue = OutgoingQueue(Priority.NORMAL, 1000)
    for room, seq in numbers:
        queue.put(record(seq, room))
    taken = queue.take(1000)
    for room in "ab":
        own = [each.header.seq for each in taken if each.header.room == room]
        assert own == sorted(seq for r, seq in numbers if r == room)


class FlakyBus:
    def __init__(self, failures):
        self.failures = failures
        self.published = []

    async def publish(self, topic, records):
        await trio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise BusUnavailableError("away")
        self.published.append((topic.value, seqs(records)))


async def test_a_bus_that_fails_is_tried_until_it_keeps_them(autojump_clock, nursery):
    bus = FlakyBus(failures=5)
    outgoing = Outgoing(bus, limit=10)
    nursery.start_soon(outgoing.run)
    for seq in (1, 2, 3):
        outgoing.put(Priority.NORMAL, record(seq))
    with trio.fail_after(10):
        await outgoing.drained()
    assert bus.published == [("normal", [1, 2, 3])]
    outgoing.put(Priority.URGENT, record(4))
    with trio.fail_after(10):
        await outgoing.drained()
    assert bus.published[-1] == ("urgent", [4])


async def test_a_priority_that_waits_holds_up_no_other(autojump_clock, nursery):
    class BulkIsAway(FlakyBus):
        async def publish(self, topic, records):
            if topic.value == "bulk":
                raise BusUnavailableError("away")
            await super().publish(topic, records)

    bus = BulkIsAway(failures=0)
    outgoing = Outgoing(bus, limit=10)
    nursery.start_soon(outgoing.run)
    for priority in Priority:
        outgoing.put(priority, record(1))
    await trio.sleep(1)
    assert sorted(bus.published) == [("normal", [1]), ("urgent", [1])]
    assert [outgoing.depth(priority) for priority in Priority] == [0, 0, 1]
