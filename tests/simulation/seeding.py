"""One seed for everything that is random in a trio run, and one log of all that is logged."""

import random
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
import trio
from structlog.testing import LogCapture
from trio._core import _run as trio_run


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what nobody can be given from outside: backoffs of the bus, and trio's order of tasks,
    which is private to trio and seeded in this very way by its plugin for Hypothesis."""
    own, tasks = random.getstate(), trio_run._r.getstate()
    ordered = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    random.seed(seed)
    trio_run._r.seed(seed)
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    try:
        yield
    finally:
        random.setstate(own)
        trio_run._r.setstate(tasks)
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = ordered  # type: ignore[misc]


@contextmanager
def captured() -> Iterator[LogCapture]:
    """Capture all that is logged, with its virtual time."""
    log, before = LogCapture(), structlog.get_config()

    def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**event, "at": round(trio.current_time(), 6)}

    structlog.configure(
        processors=[stamp, log],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=False,
    )
    try:
        yield log
    finally:
        structlog.configure(**before)
