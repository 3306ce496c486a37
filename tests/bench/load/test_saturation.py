"""The search, on servers whose behaviour is known."""

import msgspec

from bench.load.run import Run, median
from bench.load.saturation import HALVINGS, MOST_RUNGS, TRIES, best, search

RUN = Run(
    per_s=1,
    deliveries_per_s=1,
    p50_ms=1,
    p99_ms=10,
    cpu_us=1,
    lost=0,
    disordered=0,
    late_ms=0,
    cpu_share=0,
    load_cpu_share=0,
)


def at(per_s: float, **figures: float) -> Run:
    return msgspec.structs.replace(RUN, per_s=per_s, deliveries_per_s=per_s * 10, **figures)


def test_it_climbs_until_a_rate_is_too_much_and_then_halves_the_step() -> None:
    runs = search(100, 170, lambda per_s: at(per_s, p99_ms=per_s))
    assert [round(run.per_s) for run in runs] == [100, 150, 225, 225, 225, 184, 166]
    found = best(runs, 170)
    assert found is not None
    assert round(found.per_s) == 166


def test_a_bad_moment_ends_nothing() -> None:
    bad = iter([False, True, True, False, True, True, True, True, True])
    runs = search(100, 150, lambda per_s: at(per_s, p99_ms=200 if next(bad) else 20))
    assert [round(run.per_s) for run in runs[:5]] == [100, 150, 150, 150, 225]
    assert best(runs, 150) == runs[3]


def test_a_server_that_can_nothing_is_not_searched_further() -> None:
    assert len(search(100, 150, lambda per_s: at(per_s, p99_ms=200))) == TRIES


def test_what_loses_or_disorders_is_no_best() -> None:
    runs = [at(100), at(200, lost=1), at(300, disordered=1)]
    assert best(runs, 150) == runs[0]
    assert best(runs[1:], 150) is None


def test_a_server_without_a_limit_ends_the_climb_too() -> None:
    assert len(search(100, 150, at)) == MOST_RUNGS + HALVINGS


def test_the_median_hides_no_loss() -> None:
    middle = median([at(100, lost=3, p99_ms=1), at(100, p99_ms=2), at(100, p99_ms=9)])
    assert (middle.lost, middle.p99_ms) == (3, 2)
