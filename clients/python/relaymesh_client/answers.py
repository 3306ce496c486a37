"""The answers that somebody waits for."""

from collections.abc import Callable, Iterable

import trio

from relaymesh_client.events import Frame
from relaymesh_client.outbox import Answer


class Answers:
    """Answers by ticket; `flush` has what was asked go out."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._answers: dict[int, Answer | None] = {}
        self._some = trio.lowlevel.ParkingLot()

    def put(self, answers: Iterable[Answer]) -> None:
        """Hand `answers` to those who wait for them."""
        for answer in answers:
            if answer.id in self._answers:
                self._answers[answer.id] = answer
        self._some.unpark_all()

    async def of(self, ticket: int) -> Frame:
        """Return the `ok` of request `ticket`; raises what it ended with instead.

        Call it without a checkpoint after the protocol gave the ticket out.
        """
        self._answers[ticket] = None
        try:
            self._flush()
            while (answer := self._answers[ticket]) is None:
                await self._some.park()
        finally:
            del self._answers[ticket]
        if answer.error is not None:
            raise answer.error
        return answer.ok
