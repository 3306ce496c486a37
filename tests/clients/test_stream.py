"""A stream turns whatever comes over broken connections into ordered events, each once."""

from hypothesis import given
from hypothesis import strategies as st

from relaymesh_client.events import Frame, Lost, Position, Push, Reset, Skipped
from relaymesh_client.stream import MAX_HELD, Gap, Outcome, Stream


def stream(seq: int = 0) -> Stream:
    return Stream("lobby", "normal", Position("e", seq))


def push(seq: int, epoch: str = "e") -> Frame:
    return {"push": "chat", "epoch": epoch, "seq": seq}


def skipped(first: int, last: int) -> Frame:
    return {"push": "skipped", "epoch": "e", "from": first, "to": last}


def seqs(outcome: Outcome) -> list[int]:
    return [event.seq for event in outcome.events if isinstance(event, Push)]


def test_next_is_delivered_and_duplicate_ignored() -> None:
    each = stream(4)
    assert seqs(each.take(push(5))) == [5]
    assert each.take(push(5)).events == []
    assert each.take(push(3)).events == []
    assert each.position == Position("e", 5)


def test_gap_is_fetched_before_what_came_behind_it() -> None:
    each = stream()
    assert each.take(push(4)).fetch == Gap("e", 1, 3)
    assert each.take(push(5)).events == []
    assert seqs(each.fetched("e", [push(1), push(2), push(3)])) == [1, 2, 3, 4, 5]


def test_answer_that_ends_early_is_asked_on() -> None:
    each = stream()
    each.take(push(4))
    outcome = each.fetched("e", [push(1)])
    assert seqs(outcome) == [1]
    assert outcome.fetch == Gap("e", 2, 3)


def test_large_gap_is_fetched_in_parts_of_200() -> None:
    assert stream().take(push(500)).fetch == Gap("e", 1, 200)


def test_what_the_log_no_longer_has_is_told_as_lost() -> None:
    each = stream()
    each.take(push(4))
    outcome = each.fetched("e", [push(3)])
    assert outcome.events[0] == Lost("lobby", "normal", "e", 1, 2)
    assert seqs(outcome) == [3, 4]


def test_failed_or_foreign_fetch_loses_the_gap_and_goes_on() -> None:
    for outcome_of in (Stream.fetch_failed, lambda each: each.fetched("other", [push(1)])):
        each = stream()
        each.take(push(3))
        outcome = outcome_of(each)
        assert outcome.events[0] == Lost("lobby", "normal", "e", 1, 2)
        assert seqs(outcome) == [3]


def test_skipped_moves_the_position() -> None:
    each = stream()
    assert each.take(skipped(1, 3)).events == [Skipped("lobby", "normal", "e", 1, 3)]
    assert seqs(each.take(push(4))) == [4]


def test_skipped_that_was_partly_seen_tells_the_rest() -> None:
    each = stream(2)
    assert each.take(skipped(1, 3)).events == [Skipped("lobby", "normal", "e", 3, 3)]
    assert each.take(skipped(1, 3)).events == []


def test_reset_moves_to_a_new_numbering() -> None:
    each = stream(9)
    reset = {"push": "reset", "epoch": "f", "seq": 2}
    old, new = Position("e", 9), Position("f", 2)
    assert each.take(reset).events == [Reset("lobby", "normal", old, new)]
    assert seqs(each.take(push(3, "f"))) == [3]


def test_new_epoch_without_a_reset_is_told_as_one() -> None:
    outcome = stream(9).take(push(1, "f"))
    assert isinstance(outcome.events[0], Reset)
    assert seqs(outcome) == [1]


def test_first_numbering_of_an_empty_room_is_no_reset() -> None:
    each = Stream("lobby", "normal", Position("", 0))
    assert each.take({"push": "reset", "epoch": "e", "seq": 0}).events == []
    assert seqs(each.take(push(1))) == [1]


def test_what_is_held_behind_a_gap_is_bounded() -> None:
    each = stream()
    each.take(push(2))
    outcomes = [each.take(push(seq)) for seq in range(3, MAX_HELD + 10)]
    told = [event for outcome in outcomes for event in outcome.events]
    assert told[0] == Lost("lobby", "normal", "e", 1, 1)
    assert [e.seq for e in told if isinstance(e, Push)] == list(range(2, MAX_HELD + 10))


@given(st.lists(st.integers(1, 30), max_size=120), st.data())
def test_any_arrivals_come_out_complete_and_in_order(
    arrivals: list[int], data: st.DataObject
) -> None:
    """Pushes lost, doubled and reordered; fetches answered whole, in part or never."""
    each, events = stream(), []
    gap: Gap | None = None
    for seq in arrivals:
        outcome = each.take(push(seq))
        events += outcome.events
        gap = outcome.fetch or gap
        if gap and data.draw(st.booleans()):
            upto = data.draw(st.integers(gap.first - 1, gap.last))
            outcome = each.fetched("e", [push(n) for n in range(gap.first, upto + 1)])
            events += outcome.events
            gap = outcome.fetch
    told: list[int] = []
    for event in events:
        told += [event.seq] if isinstance(event, Push) else range(event.first, event.last + 1)
    assert told == list(range(1, len(told) + 1))
    assert each.position.seq == len(told)
