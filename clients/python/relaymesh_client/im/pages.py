"""Pages of streams that are asked for: which answer belongs to which stream. No I/O."""

import math
from typing import NamedTuple

from relaymesh_client.backoff import Backoff, Random
from relaymesh_client.errors import Refused
from relaymesh_client.events import Frame
from relaymesh_client.im.inbox import Inbox, Missing
from relaymesh_client.im.stream import Stream
from relaymesh_client.outbox import RETRY_S, Answer, Outbox

PAGE = 200
"""Messages of one page, as many as `sync` gives (docs/protocol.md)."""


class _Page(NamedTuple):
    stream: Stream
    until: int
    since: int


class Pages:
    """At most one page of a stream is on its way, asked for until the server has answered.

    No time-out ends it: that a page has no answer does not mean that there is none.
    """

    def __init__(self, inbox: Inbox, outbox: Outbox, random: Random) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._random = random
        self._pages: dict[int, _Page] = {}
        self._backoffs: dict[str, Backoff] = {}

    def ask(self, now: float) -> None:
        """Ask for what lacks."""
        asked = {page.stream.name for page in self._pages.values()}
        for missing in self._inbox.missing():
            if missing.stream.name not in asked:
                self._ask(missing, now)

    def take(self, answer: Answer) -> bool:
        """Take `answer` if it is that of a page; says whether it is."""
        page = self._pages.pop(answer.id, None)
        if page is None:
            return False
        if isinstance(answer.error, Refused):
            self._backoffs.pop(page.stream.name, None)
            self._inbox.gone(page.stream, page.until)
        elif answer.error is None and self._is_good(answer.ok):
            self._inbox.page(page.stream, answer.ok["frames"], page.since, *_extent(answer.ok))
            if page.stream.knows(page.since + 1):
                self._backoffs.pop(page.stream.name, None)
        return True

    def forget_all(self) -> None:
        """Stop: the connection ended, and the next one says anew where the streams begin."""
        for number in self._pages:
            self._outbox.drop(number)
        self._pages.clear()
        self._backoffs.clear()

    def _ask(self, missing: Missing, now: float) -> None:
        name, since = missing.stream.name, missing.stream.position
        repeats = name in self._backoffs
        backoff = self._backoffs.setdefault(name, Backoff(self._random, first_s=RETRY_S))
        number = self._outbox.add(
            "sync",
            {"stream": name, "since": since, "limit": PAGE},
            now=now,
            # A page that brought nothing new is asked for again, later each time.
            wait_s=backoff.next_s() if repeats else 0.0,
            give_up_s=math.inf,
            backoff=backoff,
        )
        self._pages[number] = _Page(missing.stream, missing.until, since)

    def _is_good(self, ok: Frame) -> bool:
        numbers = all(isinstance(ok.get(name), int) for name in ("head", "oldest"))
        frames = isinstance(ok.get("frames"), list)
        # Of another epoch it says nothing about this one; a new connection will tell.
        return numbers and frames and ok.get("epoch") == self._inbox.epoch


def _extent(ok: Frame) -> tuple[int, int]:
    """Return from where to where the page has all that exists."""
    frames = ok["frames"]
    is_full = len(frames) >= PAGE and isinstance(frames[-1], dict)
    through = frames[-1].get("n") if is_full else ok["head"]
    return ok["oldest"], through if isinstance(through, int) else ok["head"]
