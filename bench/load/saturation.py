"""The search for saturation: rates that grow by half until one is too much, then steps between the
last that was good and that one."""

from collections.abc import Callable, Sequence

from bench.load.run import Run

Attempt = Callable[[float], Run]

GROWTH = 1.5
TRIES = 3
"""Of a rate, until it counts as too much: once or twice may be the machine's fault."""

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
    for rung in range(MOST_RUNGS):
        runs += _try(start * GROWTH**rung, bound_ms, attempt)
        if not within(runs[-1], bound_ms):
            break
    return runs


def _try(per_s: float, bound_ms: float, attempt: Attempt) -> list[Run]:
    """Attempt a rate until it is good, but not for ever."""
    runs: list[Run] = []
    while len(runs) < TRIES and not (runs and within(runs[-1], bound_ms)):
        runs.append(attempt(per_s))
    return runs


def _refine(good: float, bound_ms: float, attempt: Attempt) -> list[Run]:
    runs, ratio = [], GROWTH
    for _ in range(HALVINGS):
        ratio **= 0.5
        runs.append(attempt(good * ratio))
        if within(runs[-1], bound_ms):
            good *= ratio
    return runs
