"""Cursors of lists by uid: opaque to clients, so that what they say may change."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from proto.errors import ErrorCode, RequestError
from proto.ids import is_uid


def cursor_after(page: Sequence[str], limit: int) -> str:
    """Return the cursor behind a page of uids; empty where the list ends with it."""
    if len(page) < limit:
        return ""
    return urlsafe_b64encode(page[-1].encode()).decode()


def uid_before(cursor: str) -> str:
    """Return the uid after which the page of `cursor` begins; raises `RequestError`."""
    if not cursor:
        return ""
    try:
        uid = urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        raise _bad() from None
    if not is_uid(uid):
        raise _bad()
    return uid


def _bad() -> RequestError:
    return RequestError(
        ErrorCode.BAD_CURSOR, "cursor: must be from an answer, or empty", field="cursor"
    )
