from hypothesis import given
from hypothesis import strategies as st

from backends.rate_limit.interface import Rate
from backends.rate_limit.local import LEAST_SWEPT, LocalRates
from backends.rate_limit.memory import MemoryRateLimit


def test_a_burst_passes_and_one_more_waits() -> None:
    rates = LocalRates(Rate(10, 5))
    assert [rates.take("a", 1.0) for _ in range(5)] == [0.0] * 5
    assert 0.099 < rates.take("a", 1.0) < 0.101
    assert rates.take("b", 1.0) == 0.0
    assert rates.take("a", 1.11) == 0.0
    assert rates.take("a", 1.11) > 0.0


def test_what_does_not_fit_takes_nothing() -> None:
    rates = LocalRates(Rate(10, 5))
    assert rates.take("a", 0.0, 6) > 0.0
    assert rates.wait_s("a", 0.0, 5) == 0.0
    assert rates.take("a", 0.0, 5) == 0.0
    assert rates.wait_s("a", 0.0) > 0.0
    rates.give_back("a", 5)
    assert rates.take("a", 0.0, 5) == 0.0


def test_keys_that_are_idle_again_are_forgotten() -> None:
    rates = LocalRates(Rate(10, 5))
    for number in range(100_000):
        rates.take(str(number), number / 1000)
    assert len(rates) <= 2 * LEAST_SWEPT


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from("ab")), max_size=60))
async def test_it_admits_what_the_rates_of_the_cluster_admit(
    steps: list[tuple[int, str]],
) -> None:
    now_ms = 0
    local, model = LocalRates(Rate(4, 3)), MemoryRateLimit(Rate(4, 3), lambda: now_ms)
    for pause_ms, key in steps:
        now_ms += pause_ms
        assert (local.take(key, now_ms / 1000) == 0) == (await model.take(key) == 0)
