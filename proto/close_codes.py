"""The close-code catalogue: why a connection ends, and whether the client may come back."""

from enum import IntEnum
from typing import NamedTuple


class CloseCode(IntEnum):
    """WebSocket close codes that a server sends (RFC 6455 section 7.4; 4000 and up are ours)."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NOT_TEXT = 1003
    NOT_UTF8 = 1007
    TOO_LARGE = 1009
    INTERNAL_ERROR = 1011
    RESTARTING = 1012
    HELLO_TIMEOUT = 4000
    TOKEN_INVALID = 4001
    TOKEN_EXPIRED = 4002
    SILENT = 4003
    TOO_MANY_ERRORS = 4004
    REPLACED = 4005
    UNACKNOWLEDGED = 4006
    SLOW_CONSUMER = 4008
    OVERLOADED = 4009
    MOVED = 4010
    REVOKED = 4011
    KICKED = 4012
    TOO_MANY_CONNECTIONS = 4013


class CloseEntry(NamedTuple):
    """`reconnect`: the client may connect again by itself (with jitter) and resume its rooms with
    `since`. Where it is false the client must change something first."""

    meaning: str
    reconnect: bool


CATALOGUE: dict[CloseCode, CloseEntry] = {
    CloseCode.NORMAL: CloseEntry("The client closed.", False),
    CloseCode.PROTOCOL_ERROR: CloseEntry("A frame broke RFC 6455.", False),
    CloseCode.NOT_TEXT: CloseEntry("A binary message; this protocol is text.", False),
    CloseCode.NOT_UTF8: CloseEntry("A text message that is not UTF-8.", False),
    CloseCode.TOO_LARGE: CloseEntry(
        "A message over the size limit, or in too many fragments.", False
    ),
    CloseCode.INTERNAL_ERROR: CloseEntry("The node failed; resume elsewhere.", True),
    CloseCode.RESTARTING: CloseEntry("The node drains or restarts; resume elsewhere.", True),
    CloseCode.HELLO_TIMEOUT: CloseEntry("No `hello` within 5 s.", True),
    CloseCode.TOKEN_INVALID: CloseEntry("`hello` carried a token that is not valid.", False),
    CloseCode.TOKEN_EXPIRED: CloseEntry(
        "The token has expired: reconnect with a fresh one.", False
    ),
    CloseCode.SILENT: CloseEntry("Nothing was heard for two heartbeats; resume.", True),
    CloseCode.TOO_MANY_ERRORS: CloseEntry(
        "Too many bad frames, or too many frames, bytes or pings in a short time.", False
    ),
    CloseCode.REPLACED: CloseEntry("The same device has connected anew.", False),
    CloseCode.UNACKNOWLEDGED: CloseEntry(
        "A message was sent several times and not acknowledged; resume.", True
    ),
    CloseCode.SLOW_CONSUMER: CloseEntry(
        "The client read too slowly: its queue was full, or its socket took nothing for 10 s;"
        " resume.",
        True,
    ),
    CloseCode.OVERLOADED: CloseEntry("The node holds as many as it can; try another.", True),
    CloseCode.MOVED: CloseEntry(
        "The client was told to move and stayed beyond the deadline; ask the gateway and resume.",
        True,
    ),
    CloseCode.REVOKED: CloseEntry("The token was revoked: log in again.", False),
    CloseCode.KICKED: CloseEntry("The platform has sent the user out.", False),
    CloseCode.TOO_MANY_CONNECTIONS: CloseEntry(
        "The user has as many connections as it may have.", False
    ),
}
