"""Pages of streams, from logic; the same page asked for twice at a time goes up once."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
import trio

from access.im.counters import ImCounters
from access.im.line import Numbered
from mesh.interface import Mesh
from proto.errors import ErrorCode, RequestError
from proto.im_frames import in_stream
from proto.im_services import SyncBody, decode_sync_answer
from proto.priorities import Priority
from proto.services import Method, encode

MAX_ASKED = 64
"""Pages on their way at once: after an outage every connection wants one."""


class Page(NamedTuple):
    """Finished frames, ascending, and what the stream is now (see `im_services.SyncAnswer`)."""

    epoch: str
    head: int
    frames: list[Numbered]


Question = tuple[str, SyncBody]


class _Flight:
    """One question on its way, asked in the name of `uid`."""

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.landed = trio.Event()
        self.page: Page | None = None
        self.error = RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=1000)


class Pages:
    """Asks for pages. A user's are shared by its devices, a hot stream's by all of its members."""

    def __init__(self, mesh: Mesh, counters: ImCounters, new_trace: Callable[[], str]) -> None:
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace
        self._flights: dict[Question, _Flight] = {}
        self._places = trio.Semaphore(MAX_ASKED)

    async def of_user(self, uid: str, stream: str, since: int, limit: int) -> Page:
        """Return at most `limit` messages of a stream after `since`, as logic lets `uid` have them;
        raises `RequestError`."""
        return await self._after(uid, (uid, SyncBody(stream, since, limit)))

    async def of_members(self, uid: str, stream: str, since: int, limit: int) -> Page:
        """The same of a hot stream, of which logic has said that `uid` has it after `since`: the
        page may be one that was asked for in the name of another."""
        return await self._after(uid, ("", SyncBody(stream, since, limit)))

    async def _after(self, uid: str, question: Question) -> Page:
        flight = self._flights.get(question)
        if flight is None:
            return await self._asked_first(uid, question)
        self._counters.syncs_joined += 1
        await flight.landed.wait()
        if flight.page is None and flight.error.body.code is ErrorCode.NOT_MEMBER:
            return await self._ask(uid, question[1])  # who asked was not; this one may be
        return _landed(flight)

    async def _asked_first(self, uid: str, question: Question) -> Page:
        flight = self._flights[question] = _Flight(uid)
        try:
            flight.page = await self._ask(uid, question[1])
        except RequestError as error:
            flight.error = error
        finally:
            # Also when this task is cancelled: those who wait must learn it.
            del self._flights[question]
            flight.landed.set()
        return _landed(flight)

    async def _ask(self, uid: str, body: SyncBody) -> Page:
        async with self._places:
            self._counters.syncs += 1
            try:
                answer = await self._mesh.request(
                    Method.SYNC,
                    Priority.NORMAL,
                    encode(body),
                    uid=uid,
                    trace=self._new_trace(),
                    repeatable=True,
                )
            except RequestError:
                self._counters.sync_errors += 1
                raise
        return _page(body.stream, answer)


def _landed(flight: _Flight) -> Page:
    if flight.page is None:
        raise RequestError.from_body(flight.error.body)
    return flight.page


def _page(stream: str, answer: bytes) -> Page:
    try:
        found = decode_sync_answer(answer)
    except msgspec.MsgspecError:
        raise RequestError(
            ErrorCode.UNAVAILABLE, "an answer of the cluster could not be read", retry_after_ms=1000
        ) from None
    frames = [(n, in_stream(stream, n, frame)) for n, frame in found.frames]
    return Page(found.epoch, found.head, frames)
