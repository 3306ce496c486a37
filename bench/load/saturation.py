"""The search for saturation: rates that grow by half until two in a row are too much, then steps
between the last that was good and the next."""

from collections.abc import Callable, Sequence

from bench.load.run import Run

Attempt = Callable[[float], Run]

GROWTH = 1.5
TOO_MUCH = 2
"""Rungs in a row over the bound that end the climb: one alone may be the machine's fault."""

MOST_RUNGS = 13
HALVINGS = 2
"""Of the last step (as a ratio), so that the result is within a tenth of what the server can do."""


def search(start: float, bound_ms: float, attempt: Attempt) -> list[Run]:
    """Attempt rates from `start` messages a second on; returns all runs."""
    runs = _climb(start, bound_ms, attempt)
    if found := best(runs, bound_ms):
        runs += _refine(found.per_s, bound_ms, attempt)
    return runs


def within(run: Run, bound_ms: float) -> bool:
    """Say whether everything arrived, and 99 % of it within the bound."""
    return run.whole and run.p99_ms <= bound_ms


def best(runs: Sequence[Run], bound_ms: float) -> Run | None:
    """Return the run with the most deliveries a second within the bound, if any was."""
    good = [run for run in runs if within(run, bound_ms)]
    return max(good, key=lambda run: run.deliveries_per_s, default=None)


def _climb(start: float, bound_ms: float, attempt: Attempt) -> list[Run]:
    runs: list[Run] = []
    per_s, failed = start, 0
    while failed < TOO_MUCH and len(runs) < MOST_RUNGS:
        runs.append(attempt(per_s))
        failed = 0 if within(runs[-1], bound_ms) else failed + 1
        per_s *= GROWTH
    return runs


def _refine(good: float, bound_ms: float, attempt: Attempt) -> list[Run]:
    runs, ratio = [], GROWTH
    for _ in range(HALVINGS):
        ratio **= 0.5
        runs.append(attempt(good * ratio))
        if within(runs[-1], bound_ms):
            good *= ratio
    return runs
