"""Gaps that are being fetched: which answer belongs to which stream. No I/O."""

from collections.abc import Callable

from relaymesh_client.events import Frame
from relaymesh_client.outbox import Answer, Outbox
from relaymesh_client.stream import Gap, Outcome, Stream

GIVE_UP_S = 15.0


class Repairs:
    """At most one fetch a stream is on its way."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._streams: dict[int, Stream] = {}

    def ask(self, stream: Stream, gap: Gap, now: float) -> None:
        """Fetch `gap` of `stream`; an older fetch of the stream is forgotten."""
        self._forget(lambda each: each is stream)
        fields: Frame = {"room": stream.room, "priority": stream.priority, "epoch": gap.epoch}
        fields |= {"from": gap.first, "to": gap.last}
        number = self._outbox.add("fetch", fields, now=now, give_up_s=GIVE_UP_S, room=stream.room)
        self._streams[number] = stream

    def take(self, answer: Answer) -> tuple[Stream, Outcome] | None:
        """Return the repaired stream and what came of it, if `answer` is that of a fetch here."""
        stream = self._streams.pop(answer.id, None)
        if stream is None:
            return None
        if answer.error is not None:
            return stream, stream.fetch_failed()
        frames = answer.ok.get("frames")
        epoch = str(answer.ok.get("epoch"))
        return stream, stream.fetched(epoch, frames if isinstance(frames, list) else [])

    def forget_room(self, room: str) -> None:
        """Stop repairing the streams of `room`."""
        self._forget(lambda each: each.room == room)

    def forget_all(self) -> None:
        """Stop: the connection ended, and resuming brings what is missing."""
        self._forget(lambda _: True)

    def _forget(self, belongs: Callable[[Stream], bool]) -> None:
        for number in [n for n, stream in self._streams.items() if belongs(stream)]:
            del self._streams[number]
            self._outbox.drop(number)
