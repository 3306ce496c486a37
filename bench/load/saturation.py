"""The search for saturation: rates that grow by a quarter until two in a row are too much."""

from collections.abc import Callable, Sequence

from bench.load.run import Run

GROWTH = 1.25
TOO_MUCH = 2
"""Rungs in a row over the bound that end the climb: one alone may be the machine's fault."""

MOST_RUNGS = 14


def climb(start: float, bound_ms: float, attempt: Callable[[float], Run]) -> list[Run]:
    """Attempt growing rates from `start` messages a second on; returns all runs."""
    runs: list[Run] = []
    per_s, failed = start, 0
    while failed < TOO_MUCH and len(runs) < MOST_RUNGS:
        runs.append(attempt(per_s))
        failed = 0 if within(runs[-1], bound_ms) else failed + 1
        per_s *= GROWTH
    return runs


def within(run: Run, bound_ms: float) -> bool:
    """Say whether everything arrived, and 99 % of it within the bound."""
    return run.whole and run.p99_ms <= bound_ms


def best(runs: Sequence[Run], bound_ms: float) -> Run | None:
    """Return the run with the most deliveries a second within the bound, if any was."""
    good = [run for run in runs if within(run, bound_ms)]
    return max(good, key=lambda run: run.deliveries_per_s, default=None)
