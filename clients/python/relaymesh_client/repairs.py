"""Gaps that are being fetched: which answer belongs to which stream. No I/O."""

import math
from collections.abc import Callable
from typing import NamedTuple

from relaymesh_client.backoff import Backoff, Random
from relaymesh_client.events import Frame, RoomEvent
from relaymesh_client.outbox import RETRY_S, Answer, Outbox
from relaymesh_client.stream import Gap, Outcome, Stream


class _Repair(NamedTuple):
    stream: Stream
    backoff: Backoff


class Repairs:
    """At most one fetch a stream is on its way, repeated until the server has told what it knows.

    No time-out ends it: that a fetch has no answer does not mean that the messages are gone.
    """

    def __init__(self, outbox: Outbox, random: Random) -> None:
        self._outbox = outbox
        self._random = random
        self._repairs: dict[int, _Repair] = {}

    def ask(self, stream: Stream, gap: Gap, now: float) -> None:
        """Fetch `gap` of `stream`; an older fetch of the stream is forgotten."""
        self._forget(lambda each: each is stream)
        self._fetch(_Repair(stream, Backoff(self._random, first_s=RETRY_S)), gap, now, wait_s=0.0)

    def take(self, answer: Answer, now: float) -> list[RoomEvent] | None:
        """Return what came of it if `answer` is that of a fetch here; fetches what still lacks."""
        repair = self._repairs.pop(answer.id, None)
        if repair is None:
            return None
        before = repair.stream.position
        outcome = _outcome(repair.stream, answer)
        if outcome.fetch is not None and repair.stream.position == before:
            self._fetch(repair, outcome.fetch, now, wait_s=repair.backoff.next_s())
        elif outcome.fetch is not None:
            self.ask(repair.stream, outcome.fetch, now)
        return outcome.events

    def forget_room(self, room: str) -> None:
        """Stop repairing the streams of `room`."""
        self._forget(lambda each: each.room == room)

    def forget_all(self) -> None:
        """Stop: the connection ended, and resuming brings what is missing."""
        self._forget(lambda _: True)

    def _forget(self, belongs: Callable[[Stream], bool]) -> None:
        for number in [n for n, each in self._repairs.items() if belongs(each.stream)]:
            del self._repairs[number]
            self._outbox.drop(number)

    def _fetch(self, repair: _Repair, gap: Gap, now: float, *, wait_s: float) -> None:
        room = repair.stream.room
        fields: Frame = {"room": room, "priority": repair.stream.priority, "epoch": gap.epoch}
        fields |= {"from": gap.first, "to": gap.last}
        number = self._outbox.add(
            "fetch",
            fields,
            now=now,
            wait_s=wait_s,
            give_up_s=math.inf,
            room=room,
            backoff=repair.backoff,
        )
        self._repairs[number] = repair


def _outcome(stream: Stream, answer: Answer) -> Outcome:
    if answer.error is not None:
        return stream.fetch_failed()
    epoch, oldest, frames = (answer.ok.get(name) for name in ("epoch", "oldest", "frames"))
    if not (isinstance(epoch, str) and isinstance(oldest, int) and isinstance(frames, list)):
        return stream.fetch_failed()
    return stream.fetched(epoch, oldest, frames)
