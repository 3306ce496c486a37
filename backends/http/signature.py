"""How a request shows that it is ours, and no old one: a timestamp and a signature over it."""

import hashlib
import hmac
from collections.abc import Mapping

TIMESTAMP, SIGNATURE = "relaymesh-timestamp", "relaymesh-signature"
"""Headers: Unix seconds; `v1=` and the signature in hex."""

WINDOW_S = 300
"""How far the clocks of the two ends may be apart; an older request may be somebody's copy."""


def sign(secret: str, timestamp: str, content: bytes) -> str:
    """Return the signature: HMAC-SHA256 (RFC 2104) over the timestamp, a full stop and the
    content."""
    signed = timestamp.encode() + b"." + content
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def is_signed(secret: str, headers: Mapping[str, str], content: bytes, now_s: float) -> bool:
    """Say whether `content` was signed with `secret`, and not long ago; header names in lower
    case."""
    timestamp = headers.get(TIMESTAMP, "")
    if not timestamp.isascii() or not timestamp.isdigit():
        return False
    if abs(now_s - int(timestamp)) > WINDOW_S:
        return False
    given = headers.get(SIGNATURE, "").encode()
    return hmac.compare_digest(sign(secret, timestamp, content).encode(), given)
