"""When the messages of one stream leave, and which leave together.

An idle stream's message leaves at once. While a round is being written, or within a tick of the
last one's beginning, messages wait and leave joined: one write per member carries them all. The
tick grows with the time that a round takes, up to a bound; a round that takes longer than the tick
is followed by the next at once, so that rounds grow with the load, and not the time between them.
"""

from collections import deque

from access.stream import Output, Ready, Skip


class Joiner:
    """What waits for the next round of one stream. Bounded: over the bound the oldest half is
    given up and told as skipped (the room log still has it)."""

    def __init__(
        self,
        max_tick_s: float,
        *,
        tick_ratio: float,
        max_pending: int,
        max_pending_bytes: int,
        max_round_bytes: int,
    ) -> None:
        self._max_tick_s = max_tick_s
        self._tick_ratio = tick_ratio
        self._began = float("-inf")
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        self._max_round_bytes = max_round_bytes
        self._pending: deque[Output] = deque()
        self._bytes = 0
        self._not_before = float("-inf")
        self._running = False
        self.dropped = 0
        """Messages given up because too many waited."""

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, outputs: list[Output]) -> None:
        """Let `outputs` wait for their round."""
        self._pending.extend(outputs)
        for output in outputs:
            self._bytes += _size(output)
        if len(self._pending) > self._max_pending or self._bytes > self._max_pending_bytes:
            self._give_up_half()

    def due_at(self) -> float | None:
        """Return when `take` may be called, or `None`: nothing waits, or a round is running."""
        if self._running or not self._pending:
            return None
        return self._not_before

    def take(self, now: float) -> list[Output]:
        """Begin a round: returns its messages, all of one epoch. Call `done` when it has ended."""
        self._running = True
        self._began = now
        epoch = self._pending[0].epoch
        taken: list[Output] = []
        room = self._max_round_bytes
        while self._pending and self._pending[0].epoch == epoch and (room > 0 or not taken):
            output = self._pending.popleft()
            room -= _size(output)
            self._bytes -= _size(output)
            taken.append(output)
        return taken

    def done(self, now: float) -> None:
        """Learn that the round has been written as far as it could be."""
        self._running = False
        tick_s = min((now - self._began) * self._tick_ratio, self._max_tick_s)
        self._not_before = max(now, self._began + tick_s)

    def _give_up_half(self) -> None:
        goal = len(self._pending) // 2
        gone: list[Output] = []
        epoch = self._pending[0].epoch
        while len(self._pending) > goal and self._pending[0].epoch == epoch:
            output = self._pending.popleft()
            self._bytes -= _size(output)
            gone.append(output)
        self.dropped += sum(isinstance(output, Ready) for output in gone)
        self._pending.appendleft(Skip(epoch, gone[0].first_seq, gone[-1].last_seq))
        self._bytes += _size(self._pending[0])


def _size(output: Output) -> int:
    return len(output.frame) if isinstance(output, Ready) else 128
