"""The error catalogue: what a request can be answered with instead of `ok`."""

from enum import StrEnum
from typing import NamedTuple

import msgspec


class ErrorCode(StrEnum):
    """The `code` of an error; the catalogue below says what each means."""

    BAD_JSON = "bad_json"
    BAD_FRAME = "bad_frame"
    UNKNOWN_OP = "unknown_op"
    HELLO_FIRST = "hello_first"
    HELLO_TWICE = "hello_twice"
    TOKEN_INVALID = "token_invalid"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_REVOKED = "token_revoked"
    WRONG_PASSWORD = "wrong_password"
    FORBIDDEN = "forbidden"
    BANNED = "banned"
    RECEIPT_INVALID = "receipt_invalid"
    RECEIPT_USED = "receipt_used"
    NOT_FRIENDS = "not_friends"
    NOT_MEMBER = "not_member"
    MUTED = "muted"
    NOT_FOUND = "not_found"
    BAD_CURSOR = "bad_cursor"
    TOO_LATE = "too_late"
    TOO_MANY_DEVICES = "too_many_devices"
    FULL = "full"
    CONFLICT = "conflict"
    NOT_JOINED = "not_joined"
    TOO_MANY_ROOMS = "too_many_rooms"
    TOO_LARGE = "too_large"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    HOME_UNREACHABLE = "home_unreachable"
    TIMEOUT = "timeout"


class ErrorEntry(NamedTuple):
    """What a code means, the HTTP status that goes with it, and whether the same request may be
    sent again as it is."""

    meaning: str
    http_status: int
    retry: bool


CATALOGUE: dict[ErrorCode, ErrorEntry] = {
    ErrorCode.BAD_JSON: ErrorEntry("The message is not one JSON object.", 400, False),
    ErrorCode.BAD_FRAME: ErrorEntry(
        "A field is missing, unknown, of the wrong type or out of range; `field` names it.",
        400,
        False,
    ),
    ErrorCode.UNKNOWN_OP: ErrorEntry("`op` is none that this version knows.", 400, False),
    ErrorCode.HELLO_FIRST: ErrorEntry("The first frame must be `hello`.", 400, False),
    ErrorCode.HELLO_TWICE: ErrorEntry("The connection has said `hello` already.", 400, False),
    ErrorCode.TOKEN_INVALID: ErrorEntry(
        "The token is malformed, forged, unsigned or for another audience.", 401, False
    ),
    ErrorCode.TOKEN_EXPIRED: ErrorEntry("The token has expired; get a fresh one.", 401, False),
    ErrorCode.TOKEN_REVOKED: ErrorEntry(
        "The token was revoked, by a logout or by an operator; log in again.", 401, False
    ),
    ErrorCode.WRONG_PASSWORD: ErrorEntry("The name or the password is wrong.", 401, False),
    ErrorCode.FORBIDDEN: ErrorEntry(
        "The role of the token, or the scopes of the API key, do not permit this.", 403, False
    ),
    ErrorCode.BANNED: ErrorEntry(
        "The user is banned from the room; `retry_after_ms` says for how long.", 403, False
    ),
    ErrorCode.RECEIPT_INVALID: ErrorEntry(
        "The gift has no receipt, or one that is forged, expired or for another gift.", 403, False
    ),
    ErrorCode.RECEIPT_USED: ErrorEntry("The receipt was used for another gift.", 409, False),
    ErrorCode.NOT_FRIENDS: ErrorEntry(
        "The two users are not friends, or one has blocked the other.", 403, False
    ),
    ErrorCode.NOT_MEMBER: ErrorEntry(
        "The user is not in this conversation, or no longer.", 403, False
    ),
    ErrorCode.MUTED: ErrorEntry(
        "The user, or the whole group, is muted; `retry_after_ms` says for how long.", 403, False
    ),
    ErrorCode.NOT_FOUND: ErrorEntry("There is no such message, group or request.", 404, False),
    ErrorCode.BAD_CURSOR: ErrorEntry(
        "The position was never given, or belongs to another numbering: begin from the session"
        " list.",
        409,
        False,
    ),
    ErrorCode.TOO_LATE: ErrorEntry("The time in which this was allowed is over.", 409, False),
    ErrorCode.TOO_MANY_DEVICES: ErrorEntry(
        "The user has as many devices connected as it may have.", 409, False
    ),
    ErrorCode.FULL: ErrorEntry("The group, or a list, has as many entries as it may.", 409, False),
    ErrorCode.CONFLICT: ErrorEntry(
        "It exists already, or the idempotency key was used for another request.", 409, False
    ),
    ErrorCode.NOT_JOINED: ErrorEntry("The connection has not joined this room.", 409, False),
    ErrorCode.TOO_MANY_ROOMS: ErrorEntry(
        "The connection, or its node, is in as many rooms as it may be.", 409, False
    ),
    ErrorCode.TOO_LARGE: ErrorEntry("A part of the request is larger than allowed.", 413, False),
    ErrorCode.TOO_MANY_CONNECTIONS: ErrorEntry(
        "The user has as many connections as it may have.", 429, False
    ),
    ErrorCode.RATE_LIMITED: ErrorEntry(
        "More than the sender may send; wait `retry_after_ms`.", 429, True
    ),
    ErrorCode.OVERLOADED: ErrorEntry(
        "The cluster admits no more at the moment; wait `retry_after_ms`. Nothing was done.",
        503,
        True,
    ),
    ErrorCode.UNAVAILABLE: ErrorEntry(
        "A part that is needed is away; wait `retry_after_ms`. It may have been done: send it"
        " again with the same `mid`.",
        503,
        True,
    ),
    ErrorCode.HOME_UNREACHABLE: ErrorEntry(
        "The region that has the room, conversation or user at home can't be reached; wait"
        " `retry_after_ms`. It may have been done: send it again with the same `mid`.",
        503,
        True,
    ),
    ErrorCode.TIMEOUT: ErrorEntry(
        "No answer in time. It may have been done: send it again with the same `mid`.", 504, True
    ),
}


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it is sent: `message` is for a person, `field` is a path such as `count`."""

    code: ErrorCode
    message: str
    field: str = ""
    retry_after_ms: int = 0


class RequestError(Exception):
    """A request that is answered with an error; raised where it is found, sent by the shell."""

    def __init__(
        self, code: ErrorCode, message: str = "", *, field: str = "", retry_after_ms: int = 0
    ) -> None:
        self.body = ErrorBody(code, message or CATALOGUE[code].meaning, field, retry_after_ms)
        super().__init__(f"{code}: {self.body.message}")

    @classmethod
    def from_body(cls, body: ErrorBody) -> "RequestError":
        """Return the exception for an error that came over the mesh."""
        return cls(body.code, body.message, field=body.field, retry_after_ms=body.retry_after_ms)
