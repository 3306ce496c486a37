"""The fan-out over members in memory: who gets which round, in which order."""

from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from access.edge.audience import SeatedAudience
from access.edge.counters import EdgeCounters
from access.edge.fanout import FanOut
from access.edge.frames import encode_text
from access.edge.interface import Batch
from access.edge.writing.loop import LoopWrites
from proto.priorities import Priority

URGENT, NORMAL, BULK = Priority


class FakeMember:
    """A member whose socket takes everything, or does what `fault` says."""

    descriptor = -1
    deflate_bits = 0

    def __init__(self) -> None:
        self.seats: dict[SeatedAudience, int] = {}
        self.got: list[bytes] = []
        self.fault: type[OSError] | int | None = None
        self.cut_short: list[int] = []
        self.is_cut = False

    def writer(self, frame: bytes) -> int:
        if isinstance(self.fault, type):
            raise self.fault
        if self.fault is not None:
            return self.fault
        self.got.append(frame)
        return len(frame)

    def round_cut_short(self, frame: bytes, count: int, batch: Batch) -> None:
        self.cut_short.append(count)

    def cut(self) -> None:
        self.is_cut = True
        for audience in list(self.seats):
            audience.leave(self)


def batch(number: int, priority: Priority = NORMAL, **more: Any) -> Batch:
    return Batch(b"%d" % number, priority, "r", "e", number, number, **more)


def fan_out(chunk: int = 4) -> FanOut:
    return FanOut(LoopWrites(), chunk, EdgeCounters(), lambda: 0.0)


def gathered(count: int) -> tuple[Any, list[FakeMember]]:
    audience: Any = SeatedAudience()
    members = [FakeMember() for _ in range(count)]
    for member in members:
        audience.add(member)
    return audience, members


def hand_over(fanout: FanOut, audience: SeatedAudience, coming: Batch) -> None:
    fanout.hand_over(audience, coming, encode_text(coming.message))


def finish(fanout: FanOut) -> None:
    while any(fanout.waiting(priority) for priority in Priority):
        fanout.step()


def test_membership_is_what_it_was_at_hand_over() -> None:
    fanout = fan_out()
    audience, members = gathered(10)
    hand_over(fanout, audience, batch(1))
    fanout.step()  # the first chunk
    late = FakeMember()
    audience.discard(members[9])
    audience.add(late)
    hand_over(fanout, audience, batch(2))
    finish(fanout)
    assert members[0].got == [encode_text(b"1"), encode_text(b"2")]
    assert members[9].got == []
    assert late.got == [encode_text(b"2")]


def test_urgent_overtakes_after_one_chunk() -> None:
    fanout = fan_out(chunk=4)
    audience, members = gathered(20)
    hand_over(fanout, audience, batch(1, BULK))
    fanout.step()
    hand_over(fanout, audience, batch(2, NORMAL))
    hand_over(fanout, audience, batch(3, URGENT))
    finish(fanout)
    assert [b[2:] for b in members[0].got] == [b"1", b"3", b"2"]
    assert [b[2:] for b in members[19].got] == [b"3", b"2", b"1"]


def test_a_broken_socket_is_cut_and_a_full_one_is_told() -> None:
    fanout = fan_out()
    audience, members = gathered(4)
    members[0].fault = ConnectionResetError
    members[1].fault = BlockingIOError
    members[2].fault = 2
    hand_over(fanout, audience, batch(1))
    finish(fanout)
    assert members[0].is_cut
    assert (members[1].cut_short, members[2].cut_short) == ([0], [2])
    assert len(members[3].got) == 1
    assert len(audience) == 3


def test_done_may_hand_over_the_next_round_and_its_failure_harms_nobody() -> None:
    fanout = fan_out()
    audience, members = gathered(3)

    def next_one() -> None:
        hand_over(fanout, audience, batch(2))
        raise RuntimeError("the session layer's fault")

    hand_over(fanout, audience, batch(1, done=next_one))
    finish(fanout)
    assert len(members[0].got) == 2


def test_a_round_over_nobody_is_done() -> None:
    fanout, done = fan_out(), []
    hand_over(fanout, SeatedAudience(), batch(1, done=lambda: done.append(1)))
    finish(fanout)
    assert done == [1]


def test_counts_members_not_seats() -> None:
    fanout = fan_out()
    audience, members = gathered(10)
    for member in members[:3]:
        audience.discard(member)
    hand_over(fanout, audience, Batch(b"x", BULK, "r", "e", 1, 5))
    finish(fanout)
    counters = fanout._counters
    assert (counters.deliveries, counters.frames_out) == ([0, 0, 35], 7)
    assert (counters.rounds, counters.bytes_out) == ([0, 0, 1], 21)


async def test_the_loop_sleeps_without_rounds_and_lets_others_run(mock_clock: MockClock) -> None:
    seen: list[tuple[Priority, float]] = []
    fanout = FanOut(
        LoopWrites(),
        4,
        EdgeCounters(),
        trio.current_time,
        lambda priority, s: seen.append((priority, s)),
    )
    audience, members = gathered(5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fanout.run)
        await wait_all_tasks_blocked()
        hand_over(fanout, audience, batch(1))
        mock_clock.jump(0.5)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert seen == [(NORMAL, 0.5)]
    assert [len(member.got) for member in members] == [1] * 5


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(1, 3)),
        st.tuples(st.just("leave"), st.integers(1, 100)),
        st.tuples(st.just("broadcast"), st.sampled_from(Priority)),
        st.tuples(st.just("step"), st.integers(1, 3)),
    ),
    max_size=120,
)


class Model:
    """Keeps by hand what each member may receive."""

    def __init__(self, at_first: int) -> None:
        self.fanout = fan_out(chunk=7)
        self.audience, self.present = gathered(at_first)
        self.allowed: dict[FakeMember, list[bytes]] = {member: [] for member in self.present}
        self.priorities: dict[bytes, Priority] = {}

    def join(self, count: int) -> None:
        for _ in range(count):
            member = FakeMember()
            self.allowed[member] = []
            self.present.append(member)
            self.audience.add(member)

    def leave(self, count: int) -> None:
        for turn in range(min(count, len(self.present))):
            member = self.present.pop(turn * 7 % len(self.present))
            self.audience.discard(member)
            member.fault = OSError  # whoever has left is never written to again

    def broadcast(self, priority: Priority) -> None:
        number = len(self.priorities)
        frame = encode_text(b"%d" % number)
        self.priorities[frame] = priority
        hand_over(self.fanout, self.audience, batch(number, priority))
        for member in self.present:
            self.allowed[member].append(frame)

    def step(self, count: int) -> None:
        for _ in range(count):
            self.fanout.step()

    def check_order(self, member: FakeMember) -> None:
        for priority in Priority:
            numbers = [int(got[2:]) for got in member.got if self.priorities[got] is priority]
            assert numbers == sorted(numbers)


@settings(max_examples=200)
@given(STEPS, st.integers(0, 200))
def test_each_round_reaches_exactly_those_who_stayed(steps: list[Any], at_first: int) -> None:
    model = Model(at_first)
    for name, argument in steps:
        getattr(model, name)(argument)
        assert len(model.audience) == len(model.present)
    finish(model.fanout)
    for member in model.present:
        assert sorted(member.got) == sorted(model.allowed[member])
        model.check_order(member)
    assert not any(member.is_cut for member in model.allowed)
