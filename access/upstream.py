"""Asks the room log through the mesh; the same question asked twice at a time goes up once."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import trio

from access.counters import AccessCounters
from mesh.interface import Mesh
from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader, decode_heads
from proto.priorities import Priority
from proto.services import FetchAnswer, FetchBody, Method, decode_fetch_answer, encode

Question = tuple[str, FetchBody]
T = TypeVar("T")


class _Flight:
    """One question on its way."""

    def __init__(self) -> None:
        self.landed = trio.Event()
        self.answer: FetchAnswer | None = None
        self.error: RequestError | None = None


class Upstream:
    """Heads and parts of room logs, from logic."""

    def __init__(self, mesh: Mesh, counters: AccessCounters, new_trace: Callable[[], str]) -> None:
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace
        self._flights: dict[Question, _Flight] = {}

    async def heads(self, room: str) -> HeadsHeader:
        """Return the room's heads; raises `RequestError`."""
        answer = await self._mesh.request(
            Method.HEADS, Priority.NORMAL, room=room, trace=self._new_trace(), repeatable=True
        )
        return _decoded(decode_heads, answer)

    async def fetch(self, room: str, body: FetchBody) -> FetchAnswer:
        """Return part of the room's log; raises `RequestError`."""
        question = (room, body)
        flight = self._flights.get(question)
        if flight is None:
            flight = self._flights[question] = _Flight()
            await self._fly(question, flight)
        else:
            self._counters.upstream_fetches_joined += 1
            await flight.landed.wait()
        if flight.answer is None:
            raise flight.error or RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=1000)
        return flight.answer

    async def _fly(self, question: Question, flight: _Flight) -> None:
        self._counters.upstream_fetches += 1
        try:
            flight.answer = await self._ask(*question)
        except RequestError as error:
            self._counters.upstream_fetch_errors += 1
            flight.error = error
        finally:
            # Also when this task is cancelled: those who wait must learn it.
            del self._flights[question]
            flight.landed.set()

    async def _ask(self, room: str, body: FetchBody) -> FetchAnswer:
        # Urgent repairs go the urgent way; the others share the normal lane.
        lane = Priority.URGENT if body.priority == Priority.URGENT else Priority.NORMAL
        answer = await self._mesh.request(
            Method.FETCH,
            lane,
            encode(body),
            room=room,
            trace=self._new_trace(),
            repeatable=True,
        )
        return _decoded(decode_fetch_answer, answer)


def _decoded(decode: Callable[[bytes], T], answer: bytes) -> T:
    try:
        return decode(answer)
    except msgspec.MsgspecError:
        raise RequestError(
            ErrorCode.UNAVAILABLE, "an answer of the cluster could not be read", retry_after_ms=1000
        ) from None
