"""The wheel of deadlines: never early, at most one tick late, in order."""

from hypothesis import given
from hypothesis import strategies as st

from access.edge.wheel import Wheel

TIMES = st.floats(0, 100, allow_nan=False)


@given(st.lists(TIMES, max_size=30), st.lists(TIMES, min_size=1, max_size=10))
def test_each_item_comes_once_never_early_and_at_most_a_tick_late(
    dues: list[float], looks: list[float]
) -> None:
    wheel: Wheel[float] = Wheel(0.0, 0.1)
    for due in dues:
        wheel.put(due, due)
    returned: list[float] = []
    for now in [*sorted(looks), 101.0]:
        due_now = wheel.advance(now)
        assert all(due <= now + 1e-9 for due in due_now)
        returned += due_now
        missing = set(dues) - set(returned)
        assert all(due > now - 0.2 - 1e-9 for due in missing)
    assert sorted(returned) == sorted(dues)


def test_what_is_overdue_when_it_is_put_comes_next() -> None:
    wheel: Wheel[str] = Wheel(10.0, 0.1)
    wheel.advance(10.5)
    wheel.put("late", 3.0)
    assert wheel.advance(10.75) == ["late"]
