"""Where a page of the list ended, as clients carry it: opaque, and good for its user alone."""

import binascii
from base64 import b64decode, urlsafe_b64encode
from hashlib import blake2b
from struct import Struct

from backends.database.session_list import Position
from proto.conversations import is_conversation
from proto.errors import ErrorCode, RequestError

_FIELDS = Struct(">?q")
_SEAL_BYTES = 6


def sealed(position: Position, uid: str, epoch: str) -> str:
    """Return the cursor of `uid` that goes on after `position`, in unpadded URL-safe Base64.

    The seal hashes whose it is and of which database (BLAKE2b). It keeps no secret: it tells a
    cursor that was given from one that was made up, or that is another's.
    """
    told = _FIELDS.pack(position.pinned, position.last_ts) + position.conv.encode()
    return urlsafe_b64encode(_seal(told, uid, epoch) + told).decode().rstrip("=")


def opened(cursor: str, uid: str, epoch: str) -> Position | None:
    """Return the position of a `cursor` ("": None, the beginning).

    Raises `RequestError` (`bad_cursor`) for one that this user never got of this database.
    """
    if not cursor:
        return None
    try:
        raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad() from None
    seal, told = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if len(told) <= _FIELDS.size or seal != _seal(told, uid, epoch):
        raise _bad()
    return _position(told)


def _position(told: bytes) -> Position:
    conv = told[_FIELDS.size :].decode(errors="replace")
    if not is_conversation(conv):
        raise _bad()
    pinned, last_ts = _FIELDS.unpack_from(told)
    return Position(pinned, last_ts, conv)


def _seal(told: bytes, uid: str, epoch: str) -> bytes:
    whose = f"{epoch}\n{uid}\n".encode()
    return blake2b(whose + told, digest_size=_SEAL_BYTES).digest()


def _bad() -> RequestError:
    return RequestError(
        ErrorCode.BAD_CURSOR,
        "cursor: must be the one of the page before, as it was given, or empty to begin",
        field="cursor",
    )
