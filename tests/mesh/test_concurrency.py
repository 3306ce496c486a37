from hypothesis import given
from hypothesis import strategies as st

from mesh.concurrency import MEMORY_S, Concurrency


def answer(
    concurrency: Concurrency, began: float, took: float, *, overloaded: bool = False
) -> None:
    concurrency.enter()
    concurrency.leave(began, began + took, overloaded=overloaded)


def test_quick_answers_change_nothing() -> None:
    concurrency = Concurrency(64, target_s=0.05)
    for number in range(1000):
        answer(concurrency, number / 100, 0.01)
    assert concurrency.places(20.0) == 64


def test_a_slow_answer_takes_places_away_once_for_all_that_were_under_way() -> None:
    concurrency = Concurrency(100, target_s=0.05)
    answer(concurrency, 0.0, 0.01)
    for _ in range(50):
        answer(concurrency, 1.0, 0.5)
    assert concurrency.places(1.5) == 70


def test_a_refusal_counts_as_slow_however_quick_it_was() -> None:
    concurrency = Concurrency(100, target_s=0.05)
    answer(concurrency, 0.0, 0.001, overloaded=True)
    assert concurrency.places(0.001) == 70


def test_places_come_back_with_time() -> None:
    concurrency = Concurrency(100, target_s=0.05)
    answer(concurrency, -1.0, 0.01)
    for step in range(20):
        answer(concurrency, step / 5, 0.1)
    assert concurrency.places(4.0) < 10
    for second in range(5, 16):
        concurrency.places(float(second))
    assert concurrency.places(16.0) == 100


def test_where_nothing_is_fast_nothing_is_slow() -> None:
    concurrency = Concurrency(64, target_s=0.05)
    for number in range(100):
        answer(concurrency, number * MEMORY_S / 20, 0.3)
    assert concurrency.places(1000.0) == 64


def test_there_are_no_more_under_way_than_places() -> None:
    concurrency = Concurrency(2, target_s=1.0)
    assert concurrency.free(0.0)
    concurrency.enter()
    concurrency.enter()
    assert not concurrency.free(0.0)
    concurrency.leave(0.0, 0.1)
    assert concurrency.free(0.1)


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.booleans())),
)
def test_there_is_always_a_place_and_never_one_too_many(
    most: int, answers: list[tuple[float, float, bool]]
) -> None:
    concurrency, now = Concurrency(most, target_s=0.05), 0.0
    for pause, took, overloaded in answers:
        answer(concurrency, now, took, overloaded=overloaded)
        now += took + pause
        assert 1 <= concurrency.places(now) <= most
    assert concurrency.under_way == 0
