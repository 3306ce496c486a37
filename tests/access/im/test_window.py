import heapq
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.im.retransmission_timer import RetransmissionTimer
from access.im.window import BadAckError, Window, WindowLimits

LIMITS = WindowLimits(
    max_messages=4, max_bytes=1000, max_resends=8, first_rto_s=1, min_rto_s=1, max_rto_s=16
)
MAX_DELAY_S = 0.45


class Network:
    """Carries to one side: loses (never the same three times, nor three in a row), delays,
    reorders and doubles."""

    def __init__(self, random: Random, loss: float) -> None:
        self._random = random
        self._loss = loss
        self._lost: dict[object, int] = {}
        self._in_a_row = 0

    def delays(self, what: object) -> list[float]:
        """Return after what times copies of `what` arrive."""
        if self._loses(what):
            return []
        copies = 1 + (self._random.random() < 0.2)
        return [self._random.random() * MAX_DELAY_S for _ in range(copies)]

    def _loses(self, what: object) -> bool:
        times = self._lost.get(what, 0)
        lost = self._random.random() < self._loss and times < 2 and self._in_a_row < 2
        self._lost[what] = times + lost
        self._in_a_row = self._in_a_row + 1 if lost else 0
        return lost


class Receiver:
    """Passes each number on once and in order; acknowledges all that it has."""

    def __init__(self) -> None:
        self.passed_on: list[int] = []
        self.held: set[int] = set()

    def take(self, n: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        if n > len(self.passed_on):
            self.held.add(n)
        while len(self.passed_on) + 1 in self.held:
            self.passed_on.append(len(self.passed_on) + 1)
            self.held.remove(len(self.passed_on))
        return len(self.passed_on), tuple((k, k) for k in sorted(self.held))


class Simulation:
    """A window, a network in both directions and a receiver, in virtual time."""

    def __init__(self, random: Random, loss: float, total: int, limits: WindowLimits) -> None:
        self.window = Window(0, limits)
        self.receiver = Receiver()
        self.limits = limits
        self.total = total
        self.now = 0.0
        self._down, self._up = Network(random, loss), Network(random, loss)
        self._events: list[tuple[float, int, str, object]] = []
        self._tie = count()

    def run(self, *, acks: bool = True) -> None:
        self._fill()
        while self._events and not self.window.dead:
            self.now, _, kind, what = heapq.heappop(self._events)
            if kind == "frame":
                answer = self.receiver.take(what)  # type: ignore[arg-type]
                if acks:
                    self._carry(self._up, "ack", answer)
            elif kind == "ack":
                self.window.acknowledge(what[0], what[1], self.now)  # type: ignore[index]
            else:
                for frame in self.window.expire(self.now):
                    self._carry(self._down, "frame", int(frame))
            self._fill()

    def _fill(self) -> None:
        while self.window.sent < self.total and self.window.fits(len(b"%03d" % 0)):
            n = self.window.sent + 1
            self.window.send(n, b"%03d" % n, self.now)
            self._carry(self._down, "frame", n)
        assert len(self.window) <= self.limits.max_messages
        assert self.window.bytes <= self.limits.max_bytes
        if self.window.due_at is not None:
            self._at(self.window.due_at, "timer", None)

    def _carry(self, network: Network, kind: str, what: object) -> None:
        for delay_s in network.delays((kind, what)):
            self._at(self.now + delay_s, kind, what)

    def _at(self, when: float, kind: str, what: object) -> None:
        heapq.heappush(self._events, (when, next(self._tie), kind, what))


@given(
    random=st.randoms(use_true_random=False),
    loss=st.floats(0, 0.9),
    total=st.integers(1, 60),
    max_messages=st.integers(1, 9),
    max_bytes=st.integers(1, 30),
)
@settings(max_examples=60)
def test_a_receiver_gets_each_message_once_in_order_and_the_bound_holds(
    random: Random, loss: float, total: int, max_messages: int, max_bytes: int
) -> None:
    limits = WindowLimits(max_messages, max(max_bytes, 3), 12, 1, 1, 16)
    simulation = Simulation(random, loss, total, limits)
    simulation.run()
    assert not simulation.window.dead
    assert simulation.receiver.passed_on == list(range(1, total + 1))
    assert (len(simulation.window), simulation.window.bytes) == (0, 0)
    assert simulation.window.due_at is None


@given(random=st.randoms(use_true_random=False), loss=st.floats(0, 1), total=st.integers(1, 20))
@settings(max_examples=20)
def test_a_peer_that_never_acknowledges_is_dead_in_the_end(
    random: Random, loss: float, total: int
) -> None:
    simulation = Simulation(random, loss, total, LIMITS)
    simulation.run(acks=False)
    assert simulation.window.dead
    assert simulation.now == 1 + 2 + 4 + 8 + 16 * 5
    assert len(simulation.window) == min(total, LIMITS.max_messages)


def test_a_peer_that_leaves_one_message_out_is_dead_too() -> None:
    window, now = Window(0, LIMITS), 0.0
    window.send(1, b"x", now)
    while not window.dead:
        now += 0.5
        if window.fits(1):
            window.send(window.sent + 1, b"x", now)
        window.acknowledge(0, [(2, window.sent)] if window.sent > 1 else [], now)
        window.expire(now)
        assert now < 200
    assert len(window) == 1


def test_cumulative_and_selective_acks_take_messages_out_of_flight() -> None:
    window = Window(10, LIMITS)
    for n in (11, 12, 15, 16):
        window.send(n, b"xx", 0.0)
    assert not window.fits(1)
    assert window.acknowledge(11, [(15, 15)], 0.1) == 2
    assert (len(window), window.bytes) == (2, 4)
    assert window.acknowledge(11, [(15, 15)], 0.1) == 0
    assert window.acknowledge(16, [], 0.2) == 2
    assert window.due_at is None


@pytest.mark.parametrize(
    ("n", "also", "field"),
    [
        (12, [], "n"),
        (10, [(11, 12)], "also[0]"),
        (10, [(11, 11), (11, 10)], "also[1]"),
        (10, [(0, 11)], "also[0]"),
    ],
)
def test_an_ack_of_what_was_never_sent_changes_nothing(
    n: int, also: list[tuple[int, int]], field: str
) -> None:
    window = Window(10, LIMITS)
    window.send(11, b"x", 0.0)
    with pytest.raises(BadAckError) as caught:
        window.acknowledge(n, also, 0.1)
    assert caught.value.field == field
    assert len(window) == 1


def test_one_message_larger_than_the_bound_goes_alone() -> None:
    window = Window(0, LIMITS)
    assert window.fits(5000)
    window.send(1, b"x" * 5000, 0.0)
    assert not window.fits(1)


def test_the_time_follows_rfc_6298() -> None:
    timer = RetransmissionTimer(1.0, 0.1, 60.0)
    assert timer.rto_s == 1.0
    timer.sample(0.5)
    assert (timer.srtt_s, timer.rto_s) == (0.5, 0.5 + 4 * 0.25)
    timer.sample(0.5)
    assert (timer.srtt_s, timer.rto_s) == (0.5, 0.5 + 4 * 0.1875)
    timer.back_off()
    assert timer.rto_s == 2 * (0.5 + 4 * 0.1875)
    for _ in range(10):
        timer.back_off()
    assert timer.rto_s == 60.0
    timer.sample(0.5)
    assert timer.rto_s == pytest.approx(0.5 + 4 * 0.140625)


def test_a_message_that_was_sent_again_says_nothing_of_the_round_trip() -> None:
    window = Window(0, LIMITS)
    window.send(1, b"1", 0.0)
    assert window.expire(0.9) == []
    assert window.expire(1.0) == [b"1"]
    window.send(2, b"2", 1.0)
    window.acknowledge(1, [], 1.1)
    assert window.srtt_s is None
    window.acknowledge(2, [], 1.2)
    assert window.srtt_s == pytest.approx(0.2)


def test_all_that_is_half_as_old_is_sent_again_and_what_is_fresh_is_not() -> None:
    window = Window(0, LIMITS)
    window.send(1, b"1", 0.0)
    window.send(2, b"2", 0.5)
    window.send(3, b"3", 0.6)
    assert window.expire(1.0) == [b"1", b"2"]
    assert window.due_at == 3.0
