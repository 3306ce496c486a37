from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from access.throttle import ALWAYS, RATIO, Throttle


def passed(throttle: Throttle, requests: int, now: float) -> int:
    return sum(throttle.passes(now) for _ in range(requests))


def overloaded(throttle: Throttle, requests: int, now: float) -> None:
    for _ in range(requests):
        if throttle.passes(now):
            throttle.overloaded(now)


def test_a_quiet_node_refuses_nothing() -> None:
    throttle = Throttle(lambda: 0.0)
    overloaded(throttle, int(ALWAYS), 0.0)
    assert throttle.refused == 0


def test_a_burst_that_waits_for_its_answers_is_no_overload() -> None:
    throttle = Throttle(lambda: 0.0)
    assert passed(throttle, 5000, 0.0) == 5000


def test_what_is_admitted_passes_however_much_it_is() -> None:
    throttle = Throttle(lambda: 0.0)
    for _ in range(10_000):
        assert throttle.passes(1.0)
        throttle.admitted(1.0)
    assert throttle.refused == 0


@given(st.integers(), st.integers(100, 400))
@settings(deadline=None, max_examples=20)
def test_of_a_flood_little_more_than_is_admitted_goes_up(seed: int, capacity: int) -> None:
    throttle, up = Throttle(Random(seed).random), 0
    for second in range(12):
        room = capacity
        for number in range(capacity * 5):
            now = second + number / capacity / 5
            if throttle.passes(now):
                up += second >= 6
                if room:
                    room -= 1
                    throttle.admitted(now)
                else:
                    throttle.overloaded(now)
    assert 6 * capacity <= up <= 6 * capacity * (RATIO + 0.4)


def test_it_forgets_a_flood_soon() -> None:
    throttle = Throttle(lambda: 0.0)
    overloaded(throttle, 5000, 0.0)
    assert passed(throttle, 5, 1.0) == 0
    assert passed(throttle, 5, 30.0) == 5
    assert RATIO > 1
