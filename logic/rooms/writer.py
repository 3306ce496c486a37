"""How a message of a room comes into being: numbered and kept first, then put on the bus, by the
ways that were decided in the step that numbered it."""

from dataclasses import dataclass

import structlog

from backends.room_log.interface import Appended, RoomLog, Terms
from logic.counters import Counters
from logic.outgoing import Outgoing
from proto.priorities import Priority
from proto.records import Record, RecordHeader
from proto.server_frames import numbered, room_push

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RoomMessage:
    """A message before it has a number; `fields` is the JSON object of its push."""

    room: str
    priority: Priority
    kind: str
    fields: bytes
    uid: str
    mid: str
    ts_ms: int
    trace: str
    terms: Terms | None = None
    """On which it is kept; `None` for what the cluster itself and back ends say."""


class RoomWriter:
    """Writes messages of rooms; what it returns is kept by the room log."""

    def __init__(self, room_log: RoomLog, outgoing: Outgoing, counters: Counters) -> None:
        self._room_log = room_log
        self._outgoing = outgoing
        self._counters = counters

    async def write(self, message: RoomMessage) -> Appended:
        """Keep `message` and see to it that it goes out.

        Raises `RequestError` where its terms do not hold, and `StoreUnavailableError`.
        """
        push = room_push(message.kind, message.room, message.priority, message.fields)
        stands = await self._room_log.append(
            message.room,
            message.priority,
            push,
            uid=message.uid,
            mid=message.mid,
            ts_ms=message.ts_ms,
            terms=message.terms,
        )
        if stands.again:
            # Put on the bus by whoever was first or, if that one died, told of by the heads.
            self._counters.repeated += 1
        else:
            self._counters.published[message.kind, message.priority] += 1
            self._outgoing.put(message.priority, _record(message, push, stands), stands.ways)
        log.debug(
            "room_message_kept",
            trace=message.trace,
            room=message.room,
            priority=stands.priority.label,
            seq=stands.seq,
            again=stands.again,
        )
        return stands

    async def recall(self, room: str, uid: str, mid: str) -> Appended | None:
        """Return where the message of `uid` with `mid` stands, if there was one a while ago;
        raises `StoreUnavailableError`."""
        found = await self._room_log.recall(room, uid, mid)
        self._counters.repeated += found is not None
        return found


def _record(message: RoomMessage, push: bytes, stands: Appended) -> Record:
    label = message.priority.label
    header = RecordHeader(
        id=f"{message.room}/{label}/{stands.epoch}/{stands.seq}",
        kind="room",
        ts_ms=stands.ts_ms,
        trace=message.trace,
        room=message.room,
        priority=label,
        epoch=stands.epoch,
        seq=stands.seq,
    )
    return Record(header, numbered(push, stands.epoch, stands.seq))
