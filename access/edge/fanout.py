"""The fan-out loop: it runs a round's frame through the sockets of an audience.

One write a socket, no queue and no task between: joined frames and a tight loop are what make it
fast. Which round is served is decided anew for every chunk of sockets, so an urgent one waits for
one chunk at most.
"""

from collections import deque
from collections.abc import Callable

import structlog
import trio

from access.edge.audience import Round, SeatedAudience
from access.edge.counters import EdgeCounters
from access.edge.interface import Batch
from access.edge.writing.interface import WritePath
from proto.priorities import Priority

log = structlog.get_logger()

SLICE_S = 0.003
"""What writing takes of a turn of the loop: as much as reading may (`read_slice_s`), so that rounds
of many chunks do not wait for reads and connects after each."""

Observe = Callable[[Priority, float], None]
"""Takes how many seconds a round took from hand-over to its last write."""


def observe_nothing(_priority: Priority, _seconds: float) -> None:
    """Stand where nobody wants to know."""


class FanOut:
    """Rounds by priority, and the loop that writes them."""

    def __init__(
        self,
        path: WritePath,
        chunk: int,
        counters: EdgeCounters,
        clock: Callable[[], float],
        observe: Observe = observe_nothing,
    ) -> None:
        self.current: Batch | None = None
        """The batch that is being written: a stalled member's queue asks for it."""
        self._path = path
        self._chunk = chunk
        self._counters = counters
        self._clock = clock
        self._observe = observe
        self._lanes: tuple[deque[Round], ...] = (deque(), deque(), deque())
        self._wanted = trio.Event()

    def waiting(self, priority: Priority) -> int:
        """Return how many rounds of `priority` are waiting or running."""
        return len(self._lanes[priority])

    def hand_over(self, audience: SeatedAudience, batch: Batch, frame: bytes) -> None:
        """Queue a round for those who are members now: they get `frame`, the batch encoded."""
        audience.compact()
        coming = Round(audience, batch, frame, self._clock())
        audience.rounds.append(coming)
        self._lanes[batch.priority].append(coming)
        self._wanted.set()

    async def run(self) -> None:
        """Write rounds until cancelled; other tasks run after every slice."""
        while True:
            if self._first() is None:
                self._wanted = trio.Event()
                await self._wanted.wait()
            self._write_for(SLICE_S)
            await trio.lowlevel.checkpoint()

    def _write_for(self, seconds: float) -> None:
        until = self._clock() + seconds
        self.step()
        while self._first() is not None and self._clock() < until:
            self.step()

    def step(self) -> None:
        """Write to as many sockets as a chunk has, the most urgent round first."""
        budget = self._chunk
        while budget > 0 and (running := self._first()) is not None:
            budget -= 1 + self._write(running, budget)
            if running.position >= running.limit:
                self._finish(running)

    def _first(self) -> Round | None:
        for lane in self._lanes:
            if lane:
                return lane[0]
        return None

    def _write(self, running: Round, budget: int) -> int:
        """Write to the next seats of a round; returns how many that were."""
        audience, frame, batch = running.audience, running.frame, running.batch
        audience.compact()
        start, stop = running.position, min(running.position + budget, running.limit)
        self._count(audience.count(start, stop), frame, batch)
        self.current = batch
        for seat, count in self._path.write(audience, start, stop, frame):
            member = audience.members[seat]
            if member is not None:
                member.cut() if count < 0 else member.round_cut_short(frame, count, batch)
        running.position = stop
        return stop - start

    def _count(self, members: int, frame: bytes, batch: Batch) -> None:
        self._counters.frames_out += members
        self._counters.bytes_out += members * len(frame)
        self._counters.deliveries[batch.priority] += members * batch.messages

    def _finish(self, running: Round) -> None:
        batch = running.batch
        self._lanes[batch.priority].popleft()
        running.audience.rounds.remove(running)
        self._counters.rounds[batch.priority] += 1
        self._observe(batch.priority, self._clock() - running.handed_over_s)
        if batch.done is not None:
            try:
                batch.done()
            except Exception:
                # One room's failure must not end the loop that serves all the others.
                log.exception("round_done_failed", room=batch.stream)
