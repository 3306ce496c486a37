from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.stream import Cursor, Output, Ready, RepairRules, Reset, Skip
from proto.headers import RoomHeader
from proto.services import FetchAnswer

RULES = RepairRules(repaired=True, reorder_s=0.03)
BULK = RepairRules(repaired=False, reorder_s=0.03)


def header(seq: int, epoch: str = "a") -> RoomHeader:
    return RoomHeader(epoch, seq, 0)


def frame(seq: int, epoch: str = "a") -> bytes:
    return f"{epoch}{seq}".encode()


def feed(cursor: Cursor, *seqs: int, now: float = 0.0, epoch: str = "a") -> list[Output]:
    outputs: list[Output] = []
    for seq in seqs:
        outputs += cursor.feed(header(seq, epoch), frame(seq, epoch), now)
    return outputs


def seqs(outputs: list[Output]) -> list[int]:
    assert all(isinstance(output, Ready) for output in outputs)
    return [output.last_seq for output in outputs]


def log(first: int, head: int, epoch: str = "a", oldest: int = 1) -> FetchAnswer:
    """What a room log that has `oldest`..`head` answers to a question from `first` on."""
    numbers = range(max(first, oldest), head + 1)
    return FetchAnswer(epoch, head, oldest, [(seq, frame(seq, epoch)) for seq in numbers])


def test_messages_in_order_go_straight_through() -> None:
    cursor = Cursor(RULES, "a", 7)
    assert seqs(feed(cursor, 8, 9)) == [8, 9]
    assert cursor.due_at() is None


def test_what_is_behind_the_position_is_a_duplicate() -> None:
    cursor = Cursor(RULES, "a", 7)
    assert feed(cursor, 8, 8, 3) != []
    assert cursor.counters.duplicates == 2


def test_a_swap_on_the_bus_heals_without_a_fetch() -> None:
    cursor = Cursor(RULES, "a", 4)
    assert feed(cursor, 6, now=1.0) == []
    assert cursor.act(1.02) == ([], None)
    assert seqs(feed(cursor, 5, now=1.02)) == [5, 6]
    assert cursor.due_at() is None


def test_a_gap_is_fetched_once_after_the_reorder_time() -> None:
    cursor = Cursor(RULES, "a", 4)
    feed(cursor, 8, now=1.0)
    assert cursor.due_at() == pytest.approx(1.03)
    assert cursor.act(1.03) == ([], ("a", 5, 7))
    assert cursor.due_at() is None
    assert seqs(cursor.fetched(log(5, 8), 1.1, 0.5)) == [5, 6, 7, 8]
    assert cursor.counters.repaired == 4 - 1


def test_a_fetch_that_fails_is_tried_again_ever_later_and_never_given_up() -> None:
    cursor = Cursor(RULES, "a", 0)
    feed(cursor, 2, now=0.0)
    pauses, now = [], 1.0
    for _ in range(12):
        assert cursor.act(now)[1] is not None
        cursor.fetch_failed(now, 0.5)
        due = cursor.due_at()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert pauses == pytest.approx(sorted(pauses))
    assert pauses[-1] == pytest.approx(RULES.max_backoff_s)
    assert cursor.act(now)[1] is not None
    assert seqs(cursor.fetched(log(1, 2), now, 0.5)) == [1, 2]


def test_a_head_beyond_a_quiet_stream_reveals_a_loss_at_its_end() -> None:
    cursor = Cursor(RULES, "a", 0)
    feed(cursor, 1, now=0.0)
    cursor.heads("a", 3, 0.1)
    assert cursor.act(0.5) == ([], None)
    assert cursor.act(0.6) == ([], ("a", 2, 3))


def test_a_head_ahead_of_a_stream_that_flows_is_no_loss() -> None:
    cursor = Cursor(RULES, "a", 0)
    cursor.heads("a", 100, 0.0)
    for seq in range(1, 100):
        assert cursor.act(seq * 0.1) == ([], None)
        assert seqs(feed(cursor, seq, now=seq * 0.1)) == [seq]


def test_what_the_log_no_longer_has_is_told_as_reset() -> None:
    cursor = Cursor(RULES, "a", 4)
    feed(cursor, 20, now=0.0)
    cursor.act(1.0)
    outputs = cursor.fetched(log(5, 20, oldest=15), 1.0, 0.5)
    assert outputs[0] == Reset("a", 5, 14)
    assert seqs(outputs[1:]) == [15, 16, 17, 18, 19, 20]


def test_what_was_held_is_delivered_though_the_log_lost_it() -> None:
    cursor = Cursor(RULES, "a", 4)
    feed(cursor, 7, 9, now=0.0)
    cursor.act(1.0)
    outputs = cursor.fetched(log(5, 9, oldest=10), 1.0, 0.5)
    assert outputs[0] == Reset("a", 5, 6)
    assert seqs(outputs[1:]) == [7]
    assert cursor.act(1.0) == ([], ("a", 8, 8))


def test_an_answer_may_end_before_what_was_asked() -> None:
    cursor = Cursor(RULES, "a", 0)
    feed(cursor, 10, now=0.0)
    cursor.act(1.0)
    assert seqs(cursor.fetched(FetchAnswer("a", 10, 1, [(1, b"1"), (2, b"2")]), 1.0, 0.5)) == [1, 2]
    assert cursor.act(1.0) == ([], ("a", 3, 9))


def test_a_log_that_claims_what_it_does_not_give_is_believed_for_a_while() -> None:
    cursor = Cursor(RULES, "a", 0)
    feed(cursor, 3, now=0.0)
    now, outputs, rounds = 1.0, [], 0
    while not outputs:
        assert cursor.act(now)[1] == ("a", 1, 2)
        outputs = cursor.fetched(FetchAnswer("a", 3, 1, []), now, 0.5)
        now += 10
        rounds += 1
    assert rounds == RULES.max_fruitless
    assert outputs[0] == Reset("a", 1, 2)
    assert seqs(outputs[1:]) == [3]


def test_a_gap_in_bulk_is_told_as_skipped_and_not_fetched() -> None:
    cursor = Cursor(BULK, "a", 4)
    feed(cursor, 8, now=0.0)
    outputs, gap = cursor.act(1.0)
    assert gap is None
    assert outputs[0] == Skip("a", 5, 7)
    assert seqs(outputs[1:]) == [8]


@pytest.mark.parametrize("rules", [RULES, BULK])
def test_a_new_epoch_counts_once_the_log_confirms_it(rules: RepairRules) -> None:
    cursor = Cursor(rules, "a", 4)
    assert feed(cursor, 3, now=0.0, epoch="b") == []
    assert cursor.act(0.0)[1] == ("b", 1, rules.max_fetch)
    outputs = cursor.fetched(log(1, 3, epoch="b"), 0.0, 0.5)
    start = 0 if rules.repaired else 2
    assert outputs[0] == Reset("b", start + 1, start)
    assert seqs(outputs[1:]) == list(range(start + 1, 4))
    assert seqs(feed(cursor, 4, epoch="b")) == [4]


def test_the_first_message_of_all_names_the_epoch() -> None:
    cursor = Cursor(RULES, "", 0)
    assert seqs(feed(cursor, 1, 2, epoch="b")) == [1, 2]
    assert cursor.due_at() is None


def test_the_second_message_of_all_waits_for_the_first_and_resets_nothing() -> None:
    cursor = Cursor(RULES, "", 0)
    assert feed(cursor, 2, epoch="b") == []
    assert cursor.act(0.0)[1] is not None
    assert seqs(cursor.fetched(log(1, 2, epoch="b"), 0.0, 0.5)) == [1, 2]
    assert cursor.counters.resets == 0


def test_a_late_message_of_an_old_epoch_does_not_turn_the_stream_back() -> None:
    cursor = Cursor(RULES, "b", 4)
    feed(cursor, 9, now=0.0, epoch="a")
    assert cursor.act(0.0)[1] is not None
    assert cursor.fetched(log(1, 4, epoch="b"), 0.0, 0.5) == []
    assert seqs(feed(cursor, 5, epoch="b")) == [5]
    assert feed(cursor, 10, epoch="a") == []
    assert cursor.due_at() is None
    assert cursor.counters.stale_epoch == 2


def test_what_was_held_of_the_old_epoch_goes_out_before_the_new_one() -> None:
    cursor = Cursor(RULES, "a", 4)
    feed(cursor, 6, now=0.0)
    feed(cursor, 1, now=0.0, epoch="b")
    cursor.act(1.0)
    outputs = cursor.fetched(log(1, 1, epoch="b"), 1.0, 0.5)
    assert outputs[0] == Reset("a", 5, 5)
    assert seqs(outputs[1:2]) == [6]
    assert outputs[2] == Reset("b", 1, 0)
    assert seqs(outputs[3:]) == [1]


def test_a_log_that_lost_everything_does_not_stop_the_stream() -> None:
    cursor = Cursor(RULES, "a", 4)
    feed(cursor, 6, now=0.0)
    cursor.act(1.0)
    outputs = cursor.fetched(FetchAnswer("", 0, 1, []), 1.0, 0.5)
    assert outputs[0] == Reset("a", 5, 5)
    assert seqs(outputs[1:]) == [6]


def test_what_is_held_is_bounded_and_fetched_again() -> None:
    rules = RepairRules(repaired=True, reorder_s=0.03, max_held=3)
    cursor = Cursor(rules, "a", 0)
    feed(cursor, *range(2, 10), now=0.0)
    assert cursor.held == 3
    assert cursor.counters.held_full == 5
    outputs = drive(cursor, lambda gap_first: log(gap_first, 9), now=1.0)
    assert seqs(outputs) == list(range(1, 10))


def drive(cursor: Cursor, answer: Callable[[int], FetchAnswer], now: float) -> list[Output]:
    """Let the cursor act until nothing is due, with a log that answers."""
    outputs: list[Output] = []
    for _ in range(100):
        due = cursor.due_at()
        if due is None:
            return outputs
        now = max(now, due)
        told, gap = cursor.act(now)
        outputs += told
        if gap is not None:
            outputs += cursor.fetched(answer(gap.first_seq), now, 0.5)
    raise AssertionError("the cursor never comes to rest")


class Member:
    """Checks what a client would: each number once, in order, or told."""

    def __init__(self, epoch: str, seq: int) -> None:
        self.epoch = epoch
        self.seq = seq
        self.got: list[tuple[str, int]] = []
        self.told: list[tuple[str, int]] = []

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Ready):
                assert (output.epoch, output.seq) == (self.epoch, self.seq + 1)
                assert output.frame == frame(output.seq, output.epoch)
                self.got.append((output.epoch, output.seq))
            elif isinstance(output, Skip):
                assert (output.epoch, output.first_seq) == (self.epoch, self.seq + 1)
                assert output.last_seq >= output.first_seq
            elif output.epoch == self.epoch:
                assert output.last_seq > self.seq
            if not isinstance(output, Ready) and output.epoch == self.epoch:
                self.told += [(self.epoch, n) for n in range(self.seq + 1, output.last_seq + 1)]
            self.epoch, self.seq = output.epoch, output.last_seq


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(1, 12)),
        st.tuples(st.just("old"), st.integers(1, 12)),
        st.tuples(st.just("heads"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("answer"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.just(0)),
        st.tuples(st.just("publish"), st.integers(1, 5)),
        st.tuples(st.just("trim"), st.integers(1, 4)),
        st.tuples(st.just("lose"), st.just(0)),
    ),
    max_size=60,
)


class Cluster:
    """A room log with epochs, and a bus that brings any of its messages at any time."""

    def __init__(self, rules: RepairRules) -> None:
        self.epochs = ["a"]
        self.head, self.oldest, self.now = 0, 1, 0.0
        self.history: set[tuple[str, int]] = set()
        self.cursor = Cursor(rules, "a", 0)
        self.member = Member("a", 0)
        self.asked: int | None = None

    @property
    def epoch(self) -> str:
        return self.epochs[-1]

    def step(self, event: str, number: int) -> None:
        getattr(self, f"on_{event}")(number)

    def on_publish(self, number: int) -> None:
        self.head += number
        self.history |= {(self.epoch, seq) for seq in range(1, self.head + 1)}

    def on_feed(self, number: int) -> None:
        if number <= self.head:
            seq = self.head + 1 - number
            self.member.take(feed(self.cursor, seq, now=self.now, epoch=self.epoch))

    def on_old(self, number: int) -> None:
        before = self.epochs[-2] if len(self.epochs) > 1 else ""
        if (before, number) in self.history:
            self.member.take(feed(self.cursor, number, now=self.now, epoch=before))

    def on_heads(self, number: int) -> None:
        self.cursor.heads(self.epoch, self.head, self.now)

    def on_wait(self, number: int) -> None:
        self.wait(number / 20)

    def on_answer(self, number: int) -> None:
        self.answer(limit=number)

    def on_fail(self, number: int) -> None:
        if self.asked is not None:
            self.asked = None
            self.cursor.fetch_failed(self.now, 0.5)

    def on_trim(self, number: int) -> None:
        self.oldest = min(self.oldest + number, self.head + 1)

    def on_lose(self, number: int) -> None:
        if self.head:
            self.epochs.append(f"{len(self.epochs)}")
            self.head, self.oldest = 0, 1

    def wait(self, seconds: float) -> None:
        self.now += seconds
        outputs, gap = self.cursor.act(self.now)
        self.member.take(outputs)
        if gap is not None:
            self.asked = gap.first_seq

    def answer(self, limit: int) -> None:
        if self.asked is None:
            return
        full = log(self.asked, self.head, self.epoch if self.head else "", self.oldest)
        self.asked = None
        answer = FetchAnswer(full.epoch, full.head_seq, full.oldest_seq, full.frames[: limit + 1])
        self.member.take(self.cursor.fetched(answer, self.now, 0.5))

    def come_to_rest(self) -> None:
        for _ in range(300):
            if self.asked is None and self.cursor.due_at() is None:
                return
            self.answer(limit=50)
            self.wait(10.0)
        raise AssertionError("the cursor never comes to rest")


@settings(max_examples=150)
@given(EVENTS, st.booleans())
def test_every_number_comes_once_in_order_or_is_told(
    events: list[tuple[str, int]], repaired: bool
) -> None:
    cluster = Cluster(RULES if repaired else BULK)
    for event, number in events:
        cluster.step(event, number)
    if cluster.head == 0:
        cluster.step("publish", 1)
    cluster.come_to_rest()
    cluster.step("heads", 0)
    cluster.come_to_rest()
    member = cluster.member
    assert len(set(member.got)) == len(member.got)
    assert (member.epoch, member.seq) == (cluster.epoch, cluster.head)
    if repaired:
        present = {(cluster.epoch, seq) for seq in range(cluster.oldest, cluster.head + 1)}
        told_while_there = present - set(member.got)
        assert told_while_there <= set(member.told)
    assert cluster.cursor.held == 0


@settings(max_examples=60)
@given(st.permutations(list(range(1, 13))), st.sets(st.integers(1, 12)), st.integers(0, 5))
def test_a_log_that_has_everything_leaves_nothing_out(
    order: list[int], lost: set[int], repeats: int
) -> None:
    cursor, member = Cursor(RULES, "a", 0), Member("a", 0)
    for seq in [seq for seq in order if seq not in lost] + order[:repeats]:
        member.take(feed(cursor, seq, now=0.0))
    cursor.heads("a", 12, 0.0)
    member.take(drive(cursor, lambda first: log(first, 12), now=0.0))
    assert member.got == [("a", seq) for seq in range(1, 13)]
    assert member.told == []
