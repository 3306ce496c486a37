import trio
from hypothesis import given
from hypothesis import strategies as st

from backends.bus.interface import BusUnavailableError
from backends.room_log.interface import Appended
from logic.counters import Counters
from logic.outgoing import Outgoing
from logic.outgoing_queue import OutgoingQueue
from logic.rooms.writer import RoomMessage, RoomWriter
from proto.heat import HeatState, Ways, shard_of_pool
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


STATES = {
    HeatState.NORMAL: ["normal"],
    HeatState.PREPARING: ["normal"],
    HeatState.MOVING: ["normal", "hot"],
    HeatState.HOT: ["hot"],
    HeatState.COOLING: ["normal", "hot"],
}


class HeatedLog:
    """A room log that decides for each message as a room in `state` has it."""

    def __init__(self):
        self.state = HeatState.NORMAL
        self.seq = 0

    async def append(self, room, priority, push, **_):
        await trio.lowlevel.checkpoint()
        self.seq += 1
        ways = Ways.of(self.state, "pool-1", 7)
        return Appended(priority, "e1", self.seq, 5, again=False, ways=ways)


async def test_a_message_goes_the_ways_that_were_decided_when_it_was_numbered(
    autojump_clock, nursery
):
    bus, log = RecordingBus(), HeatedLog()
    outgoing = Outgoing(bus, limit=10)
    nursery.start_soon(outgoing.run)
    writer = RoomWriter(log, outgoing, Counters())
    hot = f"hot-normal-{shard_of_pool('pool-1')}"
    for seq, (state, ways) in enumerate(STATES.items(), 1):
        log.state = state
        await writer.write(RoomMessage("lobby", Priority.NORMAL, "chat", b"{}", "u", "m", 5, "t"))
        with trio.fail_after(10):
            await outgoing.drained()
        came = {topic: records for topic, records in bus.published if records[0].header.seq == seq}
        assert sorted(came) == sorted(hot if way == "hot" else "normal" for way in ways)
        for topic, (record,) in came.items():
            expected = ("pool-1", 7) if topic == hot else ("", 0)
            assert (record.header.pool, record.header.fence) == expected
        assert len({record.body for (record,) in came.values()}) == 1


class RecordingBus:
    def __init__(self):
        self.published = []

    async def publish(self, topic, records):
        await trio.lowlevel.checkpoint()
        self.published.append((topic.value, records))


async def test_pools_of_other_shards_go_on_topics_of_their_own(autojump_clock, nursery):
    bus = RecordingBus()
    outgoing = Outgoing(bus, limit=100)
    pools = {shard_of_pool(f"pool-{n}"): f"pool-{n}" for n in range(20)}
    for seq, pool in enumerate(pools.values()):
        outgoing.put(Priority.BULK, record(seq), Ways(ordinary=False, pool=pool, fence=1))
    nursery.start_soon(outgoing.run)
    with trio.fail_after(10):
        await outgoing.drained()
    assert {topic: records[0].header.pool for topic, records in bus.published} == {
        f"hot-bulk-{shard}": pool for shard, pool in pools.items()
    }


async def test_a_hot_way_that_fails_is_tried_again_and_holds_up_no_ordinary_one(
    autojump_clock, nursery
):
    class HotIsAway(FlakyBus):
        async def publish(self, topic, records):
            if topic.value.startswith("hot") and trio.current_time() < until:
                raise BusUnavailableError("away")
            await super().publish(topic, records)

    until = trio.current_time() + 2
    bus = HotIsAway(failures=0)
    outgoing = Outgoing(bus, limit=2)
    nursery.start_soon(outgoing.run)
    both = Ways(ordinary=True, pool="pool-1", fence=1)
    for seq in range(1, 5):
        outgoing.put(Priority.URGENT, record(seq), both)
        await trio.sleep(0.1)
    assert bus.published == [("urgent", [1]), ("urgent", [2]), ("urgent", [3]), ("urgent", [4])]
    with trio.fail_after(10):
        await outgoing.drained()
    # The first was with the bus, two waited, and what came on top is repaired by the heads.
    assert [seqs for topic, seqs in bus.published if topic.startswith("hot")] == [[1], [2, 3]]
    assert outgoing.hot[Priority.URGENT].queue.dropped == 1
