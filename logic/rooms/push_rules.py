"""What a back end may push, and the records that its message to users becomes."""

import re
from dataclasses import dataclass

import msgspec

from proto.errors import ErrorCode, RequestError
from proto.ids import MESSAGE_ID_PATTERN, is_room, is_uid
from proto.priorities import BY_LABEL
from proto.records import MAX_UIDS_PER_RECORD, Record, RecordHeader
from proto.server_frames import direct_push
from proto.services import PushBody

MAX_DATA_BYTES = 60 * 1024
"""With a thousand of the longest uids in the header, a record still fits into one bus body."""

_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class UserPush:
    """A checked message to users."""

    sender: str
    mid: str
    ts_ms: int
    trace: str
    push: PushBody

    def records(self) -> list[Record]:
        """Return a record for each `MAX_UIDS_PER_RECORD` receivers; a retry makes the same ids."""
        body = direct_push(self.mid, self.ts_ms, self.trace, self.push.data)
        uids = self.push.uids
        parts = range(0, len(uids), MAX_UIDS_PER_RECORD)
        return [
            self._record(start, tuple(uids[start : start + MAX_UIDS_PER_RECORD]), body)
            for start in parts
        ]

    def _record(self, start: int, uids: tuple[str, ...], body: bytes) -> Record:
        header = RecordHeader(
            id=f"{self.sender}/{self.mid}/{start}",
            kind="users",
            ts_ms=self.ts_ms,
            trace=self.trace,
            priority=self.push.priority,
            uids=uids,
        )
        return Record(header, body)


def everybody_record(message: UserPush) -> Record:
    """Return the record of a message that all who are connected get."""
    header = RecordHeader(
        id=f"{message.sender}/{message.mid}",
        kind="everybody",
        ts_ms=message.ts_ms,
        trace=message.trace,
        priority=message.push.priority,
    )
    return Record(header, direct_push(message.mid, message.ts_ms, message.trace, message.push.data))


def check(push: PushBody, max_uids: int) -> None:
    """Raise `RequestError` that names the field, unless `push` may be sent."""
    if push.mid and not _MESSAGE_ID.match(push.mid):
        raise _bad("mid", f"must match {MESSAGE_ID_PATTERN}")
    if push.priority not in BY_LABEL:
        raise _bad("priority", f"must be one of {', '.join(BY_LABEL)}")
    if (bool(push.room), bool(push.uids), push.everybody).count(True) != 1:
        raise _bad("room", "one of `room`, `uids` and `everybody` must name the receivers")
    if push.room and not is_room(push.room):
        raise _bad("room", "is no name of a room")
    _check_uids(push.uids, max_uids)
    _check_data(push.data)


def _check_uids(uids: list[str], max_uids: int) -> None:
    if len(uids) > max_uids:
        raise RequestError(
            ErrorCode.TOO_LARGE, f"uids: at most {max_uids}, not {len(uids)}", field="uids"
        )
    for index, uid in enumerate(uids):
        if not is_uid(uid):
            raise _bad(f"uids[{index}]", "is no user id")


def _check_data(data: bytes) -> None:
    if len(data) > MAX_DATA_BYTES:
        raise RequestError(
            ErrorCode.TOO_LARGE, f"data: at most {MAX_DATA_BYTES} bytes", field="data"
        )
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad("data", "must be JSON") from None


def _bad(field: str, reason: str) -> RequestError:
    return RequestError(ErrorCode.BAD_FRAME, f"{field}: {reason}", field=field)
