"""What the application has taken, and when the server is told so. No I/O."""

from collections import deque
from collections.abc import Iterable, Mapping

from relaymesh_client.im.events import Fields
from relaymesh_client.im.stream import Range

MERGE_S = 0.05
"""Seconds for which acknowledgements are gathered."""
MERGE_MESSAGES = 32
"""So many messages are acknowledged at once: half of what may be on its way without it."""
SPACING_S = 0.03
"""Seconds between two acknowledgements of whichever streams: the server counts frames."""
MAX_RANGES = 32
"""Ranges that one `ack` may name (docs/protocol.md)."""


class _Account:
    """One stream: what was given to the application, and what it has taken of it."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.waiting: deque[int] = deque()
        """Given and not taken, ascending."""
        self.early: set[int] = set()
        """Taken, with others before them that are not."""
        self.seen: int | None = None
        """The highest number that this connection has sent, or begun after."""
        self.told = -1
        self.fresh = 0
        self.due_at: float | None = None

    @property
    def taken(self) -> int:
        """Up to here everything was taken."""
        return self.waiting[0] - 1 if self.waiting else self.position

    def take(self, numbers: Iterable[int]) -> int:
        """Note that `numbers` were taken; returns how many the stream has moved on by."""
        self.early.update(numbers)
        before = len(self.waiting)
        while self.waiting and self.waiting[0] in self.early:
            self.early.discard(self.waiting.popleft())
        return before - len(self.waiting)


class Acks:
    """Gathers acknowledgements; each says how far all was taken, and which ranges beyond that.

    The server is told of nothing that the present connection has not sent.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._free_at = 0.0

    def begin(self, stream: str, position: int) -> None:
        """Begin with a stream, of which all was taken up to `position`."""
        known = self._accounts.get(stream)
        self._accounts[stream] = account = _Account(position)
        account.seen = known.seen if known is not None else None

    def forget(self, stream: str) -> None:
        """The stream is over."""
        self._accounts.pop(stream, None)

    def opened(self, starts: Mapping[str, int]) -> None:
        """A connection begins to send streams after these numbers."""
        for stream, start in starts.items():
            if stream in self._accounts:
                self._accounts[stream].seen = start

    def closed(self) -> None:
        """The connection has ended."""
        for account in self._accounts.values():
            account.seen, account.told, account.due_at, account.fresh = None, -1, None, 0

    def received(self, stream: str, n: int, now: float, *, again: bool) -> None:
        """The connection has sent number `n`; `again`: which was here already, so that its
        acknowledgement is said once more."""
        account = self._accounts.get(stream)
        if account is None:
            return
        account.seen = n if account.seen is None else max(account.seen, n)
        if again and (n <= account.taken or n in account.early):
            account.told = -1
        self._soon(account, now)

    def delivered(self, stream: str, n: int, now: float, *, shown: bool) -> None:
        """Number `n` was given to the application, or (`shown` false) is nothing for it."""
        account = self._accounts[stream]
        account.position = n
        account.waiting.append(n)
        if not shown:
            self._taken(account, [n], now)

    def moved(self, stream: str, position: int) -> None:
        """The stream goes on after `position`."""
        account = self._accounts[stream]
        account.position = max(account.position, position)

    def take(self, stream: str, n: int, now: float) -> None:
        """The application has taken number `n`; what is not known to wait is let be."""
        account = self._accounts.get(stream)
        if account is not None and account.waiting and n >= account.waiting[0]:
            self._taken(account, [n], now)

    def take_all(self, now: float) -> None:
        """The application has taken all that was given to it."""
        for account in self._accounts.values():
            if account.waiting:
                self._taken(account, list(account.waiting), now)

    def taken(self) -> dict[str, int]:
        """Return by stream up to where everything was taken."""
        return {stream: account.taken for stream, account in self._accounts.items()}

    @property
    def owed(self) -> int:
        """How many messages the application was given and has not taken."""
        return sum(len(account.waiting) for account in self._accounts.values())

    def due(self, now: float, held: Mapping[str, list[Range]]) -> list[Fields]:
        """Return the `ack` frames to send now, at most one; `held` are the ranges that wait for
        something before them, by stream."""
        ready = [item for item in self._accounts.items() if _is_due(item[1], now)]
        if now < self._free_at or not ready:
            return []
        stream, account = min(ready, key=lambda item: item[1].due_at or 0.0)
        account.due_at, account.fresh = None, 0
        frame = _frame(stream, account, held.get(stream, []))
        if frame is None:
            return self.due(now, held)
        self._free_at = now + SPACING_S
        return [frame]

    def next_due(self) -> float | None:
        """Return when `due` has something to say at the earliest."""
        times = [each.due_at for each in self._accounts.values() if each.due_at is not None]
        return max(min(times), self._free_at) if times else None

    def _taken(self, account: _Account, numbers: list[int], now: float) -> None:
        account.fresh += account.take(numbers)
        self._soon(account, now)

    def _soon(self, account: _Account, now: float) -> None:
        wait_s = 0.0 if account.fresh >= MERGE_MESSAGES else MERGE_S
        due_at = now + wait_s
        account.due_at = due_at if account.due_at is None else min(account.due_at, due_at)


def _is_due(account: _Account, now: float) -> bool:
    return account.due_at is not None and account.due_at <= now


def _frame(stream: str, account: _Account, held: list[Range]) -> Fields | None:
    if account.seen is None:
        return None
    n = min(account.taken, account.seen)
    also = _merged([*((k, k) for k in account.early), *held], n, account.seen)[:MAX_RANGES]
    if n <= account.told and not also:
        return None
    account.told = n
    frame: Fields = {"op": "ack", "stream": stream, "n": n}
    return frame | ({"also": also} if also else {})


def _merged(ranges: list[Range], after: int, until: int) -> list[list[int]]:
    """Return the ranges between `after` and `until`, ascending, those that touch as one."""
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        first, last = max(first, after + 1), min(last, until)
        if last < first:
            continue
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged
