"""A message of the database as the frame that clients get."""

from backends.database.diffusing import Stored
from proto import im_frames
from proto.records import MAX_RECORD_BODY_BYTES

EMPTY_BODY = b"{}"


def frame_of(message: Stored) -> bytes:
    """Return the frame; a recalled message has an empty body."""
    return im_frames.message(
        message.conv,
        message.seq,
        kind=message.kind,
        uid=message.sender,
        name=message.name,
        ts_ms=message.ts_ms,
        mid=message.mid,
        body=EMPTY_BODY if message.recalled else message.body,
        recalled=message.recalled,
    )


def carried_frame(message: Stored) -> bytes:
    """Return the frame as the bus carries it; raises `ValueError` where it is longer than that."""
    frame = frame_of(message)
    if len(frame) > MAX_RECORD_BODY_BYTES:
        raise ValueError(f"a frame of {len(frame)} bytes is over {MAX_RECORD_BODY_BYTES}")
    return frame
