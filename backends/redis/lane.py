"""A lane to the store: what waits at the same moment goes in one pipeline, in order.

A round trip costs more than a command, so commands queue here while the ones before them are on
their way.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
import trio

from backends.errors import StoreOverloadedError, StoreUnavailableError
from backends.redis.connection import Reply, pack
from backends.redis.pipeline import Pipeline
from backends.redis.scripts import Command
from backends.redis.settings import StoreSettings

FIRST_BACKOFF_S = 0.02
LONGEST_BACKOFF_S = 0.2
log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Job:
    commands: Sequence[Command]
    packed: bytes
    deadline: float
    done: trio.Event = field(default_factory=trio.Event)
    replies: list[Reply] | None = None
    abandoned: bool = False


@dataclass(slots=True)
class Counters:
    """What a node's lanes have done."""

    commands: int = 0
    pipelines: int = 0
    retries: int = 0
    failures: int = 0
    refused: int = 0


class Lane:
    """One connection with a bounded queue before it. Full: a call is refused, nothing is done."""

    def __init__(self, pipeline: Pipeline, settings: StoreSettings, counters: Counters) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._counters = counters
        self._limit = max(1, settings.queue_commands // settings.connections)
        self._waiting: deque[_Job] = deque()
        self._wake = trio.Event()
        self._away_since: float | None = None
        self.depth = 0
        """How many commands wait."""

    async def submit(self, commands: Sequence[Command]) -> list[Reply]:
        """Run `commands` in order and return a reply for each.

        Raises `StoreUnavailableError` when the store did not answer for `patience_s`.
        """
        if self.depth and self.depth + len(commands) > self._limit:
            self._counters.refused += 1
            raise StoreOverloadedError(f"{self.depth} commands wait for the store")
        deadline = trio.current_time() + self._settings.patience_s
        # Packed here, so that a bad command fails its caller and not its neighbours.
        job = _Job(commands, pack(commands), deadline)
        self._enqueue(job)
        try:
            await job.done.wait()
        except trio.Cancelled:
            job.abandoned = True
            raise
        if job.replies is None:
            raise StoreUnavailableError("the store did not answer in time")
        return job.replies

    async def run(self) -> None:
        """Send what waits, for ever."""
        backoff_s = 0.0
        while True:
            await self._wake.wait()
            if not (batch := self._take()):
                self._wake = trio.Event()
                continue
            problem = await self._run_batch(batch)
            self._note(problem)
            if not problem:
                backoff_s = 0.0
                continue
            backoff_s = min(LONGEST_BACKOFF_S, max(FIRST_BACKOFF_S, backoff_s * 2))
            await trio.sleep(backoff_s)

    def close(self) -> None:
        """Close the connection."""
        self._pipeline.close()

    def _enqueue(self, job: _Job) -> None:
        self._waiting.append(job)
        self.depth += len(job.commands)
        self._wake.set()

    def _take(self) -> list[_Job]:
        batch: list[_Job] = []
        room = self._settings.pipeline_commands
        while self._waiting and (not batch or len(self._waiting[0].commands) <= room):
            job = self._waiting.popleft()
            self.depth -= len(job.commands)
            if not job.abandoned:
                batch.append(job)
                room -= len(job.commands)
        return batch

    async def _run_batch(self, batch: list[_Job]) -> str:
        """Return "" or why some of the batch has no answer yet."""
        commands = [command for job in batch for command in job.commands]
        packed = b"".join([job.packed for job in batch])
        replies, problem = await self._pipeline.run(commands, packed)
        self._counters.pipelines += 1
        self._counters.commands += len(replies)
        unanswered = _settle(batch, replies)
        if problem:
            self._try_again(unanswered)
        return problem

    def _note(self, problem: str) -> None:
        """Log when the store goes and when it is back, and nothing between."""
        now = trio.current_time()
        if problem and self._away_since is None:
            self._away_since = now
            log.warning("store_unavailable", reason=problem, waiting=self.depth)
        elif not problem and self._away_since is not None:
            log.info("store_back", after_s=round(now - self._away_since, 3))
            self._away_since = None

    def _try_again(self, unanswered: list[_Job]) -> None:
        """Put what may still wait back to where it was; give up on the rest."""
        self._counters.retries += len(unanswered)
        jobs = [*unanswered, *self._waiting]
        self._waiting.clear()
        self.depth = 0
        now = trio.current_time()
        for job in jobs:
            if job.deadline > now:
                self._enqueue(job)
            else:
                self._counters.failures += 1
                job.done.set()


def _settle(batch: list[_Job], replies: list[Reply]) -> list[_Job]:
    """Hand the replies out; return the jobs that miss one."""
    start = 0
    unanswered = []
    for job in batch:
        end = start + len(job.commands)
        if end <= len(replies):
            job.replies = replies[start:end]
            job.done.set()
        else:
            unanswered.append(job)
        start = end
    return unanswered
