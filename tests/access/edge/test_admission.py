"""How many open at a turn, who waits, and who is sent away."""

from hypothesis import given
from hypothesis import strategies as st

from access.edge.opening.admission import (
    FIRST,
    HOLD_S,
    LEAST,
    MOST,
    REFUSALS_PER_OPENING,
    Pace,
    Places,
    Queue,
    Turn,
)

TURN_S, WAIT_S = 0.005, 0.5


def turns(pace: Pace, took_s: float, count: int, *, start: float = 0.0, busy: bool = False) -> Turn:
    """Run `count` turns that work for `took_s` each; returns the last."""
    for number in range(count):
        now = start + number * took_s
        turn = pace.turn(now, now, free=1000, busy=busy, shut=False, queue=Queue(1, 4096))
    return turn


def test_quick_turns_open_more_and_long_ones_fewer() -> None:
    pace = Pace(TURN_S, WAIT_S)
    assert turns(pace, 0.001, 2).opens == FIRST + 1
    assert turns(pace, 0.0001, 200, start=1).opens == MOST
    assert turns(pace, 0.02, 20, start=2).opens == LEAST


def test_while_a_round_is_written_few_open_and_nothing_is_learnt() -> None:
    pace = Pace(TURN_S, WAIT_S)
    assert turns(pace, 0.02, 50, busy=True).opens == LEAST
    assert turns(pace, 0.0, 1, start=9).opens == FIRST


def free_turn(pace: Pace, now: float, waiting: int | None, most: int = 8192) -> Turn:
    queue = None if waiting is None else Queue(waiting, most)
    return pace.turn(now, 0.0, free=10, busy=False, shut=False, queue=queue)


def test_a_queue_that_is_about_to_overflow_is_thinned_out_at_once() -> None:
    pace = Pace(TURN_S, 60.0)
    assert free_turn(pace, 0.0, 3000, 4096).refusals == 0
    assert free_turn(pace, 0.0, 3072, 4096).refusals > 0
    busy = pace.turn(0.0, 0.0, free=10, busy=True, shut=False, queue=Queue(4096, 4096))
    assert busy == (LEAST, LEAST * REFUSALS_PER_OPENING)


def test_only_who_would_wait_too_long_is_sent_away() -> None:
    pace = Pace(TURN_S, WAIT_S)
    assert free_turn(pace, 0.0, 4000).refusals == 0
    for number in range(1, 40):  # 10 each 10 ms: 1,000 a second
        assert free_turn(pace, number / 100, 450).refusals == 0
    assert free_turn(pace, 0.4, 490).refusals == 0
    late = free_turn(pace, 0.41, 600)
    assert late.opens == 10
    assert late.refusals >= REFUSALS_PER_OPENING * FIRST
    pace.drained()
    assert free_turn(pace, 0.5, 4000).refusals == 0, "of a new queue nothing is known yet"


def test_where_the_length_is_not_told_a_standing_queue_is_too_long() -> None:
    pace = Pace(TURN_S, WAIT_S)
    assert free_turn(pace, 0.0, None).refusals == 0
    assert free_turn(pace, 0.49, None).refusals == 0
    assert free_turn(pace, 0.5, None).refusals > 0
    assert pace.standing_s(0.6) == 0.6
    pace.drained()
    assert pace.standing_s(0.7) == 0.0
    assert free_turn(pace, 0.8, None).refusals == 0


def test_a_shut_node_sends_everybody_away_at_once() -> None:
    pace = Pace(TURN_S, WAIT_S)
    assert pace.turn(0.0, 0.0, free=10, busy=False, shut=True, queue=Queue(1, 4096)) == (
        0,
        REFUSALS_PER_OPENING * FIRST,
    )


def test_a_pause_says_nothing_about_the_loop() -> None:
    pace = Pace(TURN_S, WAIT_S)
    turns(pace, 0.0, 1)
    pace.rest()
    assert turns(pace, 0.0, 1, start=5).opens == FIRST


STEPS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(-5, 100),
        st.booleans(),
        st.booleans(),
        st.none() | st.builds(Queue, st.integers(0, 5000), st.just(4096)),
    )
)


@given(STEPS)
def test_there_is_always_progress_and_never_more_than_there_is_room_for(
    steps: list[tuple[float, int, bool, bool, Queue | None]],
) -> None:
    pace, now = Pace(TURN_S, WAIT_S), 0.0
    for took, free, busy, shut, queue in steps:
        now += took
        turn = pace.turn(now, now, free=free, busy=busy, shut=shut, queue=queue)
        assert 0 <= turn.opens <= min(max(free, 0), MOST)
        assert turn.opens or shut or free <= 0
        assert 0 <= turn.refusals <= MOST * REFUSALS_PER_OPENING
        assert turn.refusals or not shut
        assert LEAST <= pace.per_turn <= MOST


def test_silent_ones_keep_their_places_for_a_second_alone() -> None:
    places = Places(3)
    for number in range(3):
        places.enter(number, number / 10)
    places.expire(0.9)
    assert places.free == 0
    places.leave(1)
    assert places.free == 1
    places.expire(HOLD_S)
    assert places.free == 2
    places.expire(HOLD_S + 0.2)
    places.leave(2)
    assert places.free == 3


@given(st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from("+-"), st.integers(0, 9))))
def test_places_are_those_who_entered_lately_and_have_not_left(
    steps: list[tuple[float, str, int]],
) -> None:
    places, model, now = Places(5), dict[int, float](), 0.0
    for pause, what, who in steps:
        now += pause
        if what == "-":
            places.leave(who)
            model.pop(who, None)
        elif who not in model:
            places.enter(who, now)
            model[who] = now
        model = {each: since for each, since in model.items() if now - since < HOLD_S}
        places.expire(now)
        assert places.free == 5 - len(model)
        assert len(places) == len(model)
