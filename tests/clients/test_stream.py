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
    assert seqs(each.fetched("e", 1, [push(1), push(2), push(3)])) == [1, 2, 3, 4, 5]


def test_answer_that_ends_early_is_asked_on() -> None:
    each = stream()
    each.take(push(4))
    outcome = each.fetched("e", 1, [push(1)])
    assert seqs(outcome) == [1]
    assert outcome.fetch == Gap("e", 2, 3)


def test_large_gap_is_fetched_in_parts_of_200() -> None:
    assert stream().take(push(500)).fetch == Gap("e", 1, 200)


def test_what_the_log_no_longer_has_is_told_as_lost() -> None:
    each = stream()
    each.take(push(4))
    outcome = each.fetched("e", 3, [push(3)])
    assert outcome.events[0] == Lost("lobby", "normal", "e", 1, 2)
    assert seqs(outcome) == [3, 4]


def test_fetch_without_an_answer_leaves_the_gap_open() -> None:
    each = stream()
    each.take(push(4))
    for outcome in (each.fetch_failed(), each.fetched("e", 1, []), each.fetched("e", 1, [push(3)])):
        assert outcome == Outcome(fetch=Gap("e", 1, 3))
    assert seqs(each.fetched("e", 1, [push(1), push(2), push(3)])) == [1, 2, 3, 4]


def test_only_what_was_asked_for_and_is_below_oldest_is_lost() -> None:
    each = stream()
    each.take(push(300))
    outcome = each.fetched("e", 250, [])
    assert outcome == Outcome([Lost("lobby", "normal", "e", 1, 200)], Gap("e", 201, 299))
    outcome = each.fetched("e", 250, [])
    assert outcome == Outcome([Lost("lobby", "normal", "e", 201, 249)], Gap("e", 250, 299))


def test_gap_of_an_epoch_that_is_over_is_lost() -> None:
    each = stream()
    each.take(push(3))
    outcome = each.fetched("other", 1, [push(1)])
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


def test_what_is_held_behind_a_gap_is_bounded_and_the_rest_is_fetched() -> None:
    each, last = stream(), MAX_HELD + 10
    each.take(push(2))
    for seq in range(3, last + 1):
        assert each.take(push(seq)) == Outcome()
    assert each.take(push(5)) == Outcome()
    outcome = each.fetched("e", 1, [push(1)])
    assert seqs(outcome) == list(range(1, MAX_HELD + 1))
    assert outcome.fetch == Gap("e", MAX_HELD + 1, last - 1)
    rest = [push(seq) for seq in range(MAX_HELD + 1, last)]
    assert seqs(each.fetched("e", 1, rest)) == list(range(MAX_HELD + 1, last + 1))


def test_new_numbering_behind_all_that_can_be_held_ends_the_gap() -> None:
    each = stream()
    for seq in range(2, MAX_HELD + 2):
        each.take(push(seq))
    outcome = each.take(push(1, "f"))
    assert outcome.events[0] == Lost("lobby", "normal", "e", 1, 1)
    assert isinstance(outcome.events[-2], Reset)
    assert each.position == Position("f", 1)


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
            outcome = each.fetched("e", 1, [push(n) for n in range(gap.first, upto + 1)])
            events += outcome.events
            gap = outcome.fetch
    told: list[int] = []
    for event in events:
        told += [event.seq] if isinstance(event, Push) else range(event.first, event.last + 1)
    assert told == list(range(1, len(told) + 1))
    assert each.position.seq == len(told)
