"""Work that goes on beside the read loop, each in a task of the node's nursery."""

from collections.abc import Awaitable, Callable
from typing import TypeVarTuple, Unpack

import structlog
import trio

from access.counters import AccessCounters

log = structlog.get_logger()
Arguments = TypeVarTuple("Arguments")


class Tasks:
    """Starts tasks whose failure is logged and counted, and touches nobody else."""

    def __init__(self, nursery: trio.Nursery, counters: AccessCounters) -> None:
        self._nursery = nursery
        self._counters = counters
        self.running = 0

    def start(
        self,
        work: Callable[[Unpack[Arguments]], Awaitable[None]],
        *arguments: *Arguments,
    ) -> None:
        """Run `work` soon."""
        self.running += 1
        self._nursery.start_soon(self._guarded, work, arguments)

    async def _guarded(
        self,
        work: Callable[[Unpack[Arguments]], Awaitable[None]],
        arguments: tuple[*Arguments],
    ) -> None:
        try:
            await work(*arguments)
        except Exception:
            # A mistake of ours: one room or one client feels it, the node goes on.
            self._counters.internal_errors += 1
            log.exception("task_failed", work=getattr(work, "__qualname__", repr(work)))
        finally:
            self.running -= 1
