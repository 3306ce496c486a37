"""What an answer that is not the wished-for one means for a notification."""

from email.utils import parsedate_to_datetime

from backends.push.interface import Outcome, Verdict

MAX_RETRY_AFTER_S = 3600.0


def later(reason: str, retry_after_s: float = 0.0) -> Outcome:
    """Return the outcome of what is tried again."""
    return Outcome(Verdict.LATER, reason, retry_after_s)


def retry_after_s(value: str, now_s: float) -> float:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or a
    date), at most an hour; 0 where it says nothing."""
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now_s
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
