"""Why a message is not kept: its sender is banned, muted, too fast or stands too low, its receipt
is used, the room full."""

from proto.errors import ErrorCode, RequestError
from proto.moderation import MAX_ENTRIES
from proto.roles import RANKS


def banned(until_ms: int, now_ms: int) -> RequestError:
    """Return the refusal of a sender who is banned until `until_ms`, 0 for good."""
    return _bound(ErrorCode.BANNED, "banned from it", until_ms, now_ms)


def muted(until_ms: int, now_ms: int) -> RequestError:
    """Return the refusal of a sender who is muted until `until_ms`, 0 for good."""
    return _bound(ErrorCode.MUTED, "muted here", until_ms, now_ms)


def _bound(code: ErrorCode, what: str, until_ms: int, now_ms: int) -> RequestError:
    wait_ms = max(until_ms - now_ms, 1) if until_ms else 0
    how_long = f"for {wait_ms} ms" if until_ms else "for good"
    return RequestError(
        code, f"room: you are {what} {how_long}", field="room", retry_after_ms=wait_ms
    )


def too_fast(wait_ms: int) -> RequestError:
    """Return the refusal of a sender whom slow mode lets speak again in `wait_ms`."""
    return RequestError(
        ErrorCode.RATE_LIMITED,
        f"room: it is in slow mode; wait {wait_ms} ms",
        field="room",
        retry_after_ms=wait_ms,
    )


def receipt_used() -> RequestError:
    """Return the refusal of a receipt that was used with another `mid`."""
    return RequestError(ErrorCode.RECEIPT_USED, field="receipt")


def full() -> RequestError:
    """Return the refusal of one entry too many."""
    return RequestError(
        ErrorCode.FULL, f"uid: the room has {MAX_ENTRIES} mutes, bans and roles", field="uid"
    )


def outranked(rank: int) -> RequestError:
    """Return the refusal of a change to what was made with a higher `rank`."""
    role = next(role for role, its in RANKS.items() if its == rank)
    message = f"action: a {role} has made what holds, and stands above"
    return RequestError(ErrorCode.FORBIDDEN, message, field="action")


def refusal(reason: str, number: int, now_ms: int) -> RequestError:
    """Return the refusal that the script which appends has answered."""
    match reason:
        case "banned":
            return banned(number, now_ms)
        case "muted":
            return muted(number, now_ms)
        case "slow":
            return too_fast(number)
        case "outranked":
            return outranked(number)
        case "used":
            return receipt_used()
        case _:
            return full()
