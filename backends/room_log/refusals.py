"""Why a message is not kept: its sender is muted or too fast, its receipt used, the room full."""

from proto.errors import ErrorCode, RequestError
from proto.moderation import MAX_ENTRIES


def muted(until_ms: int, now_ms: int) -> RequestError:
    """Return the refusal of a sender who is muted until `until_ms`, 0 for good."""
    wait_ms = max(until_ms - now_ms, 1) if until_ms else 0
    how_long = f"for {wait_ms} ms" if until_ms else "for good"
    return RequestError(
        ErrorCode.MUTED,
        f"room: you are muted here {how_long}",
        field="room",
        retry_after_ms=wait_ms,
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


def refusal(reason: str, number: int, now_ms: int) -> RequestError:
    """Return the refusal that the script which appends has answered."""
    if reason == "muted":
        return muted(number, now_ms)
    if reason == "slow":
        return too_fast(number)
    return receipt_used() if reason == "used" else full()
