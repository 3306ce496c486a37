"""A webhook: each notification is a signed POST to a server that notifies devices itself."""

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from backends.push.interface import Notification, Outcome, Verdict
from backends.push.posting import Answer, Poster, UnreachableError, later, retry_after_s
from backends.push.settings import WebhookSettings
from proto.server_frames import encode_json

TIMESTAMP, SIGNATURE, ID = "relaymesh-timestamp", "relaymesh-signature", "relaymesh-id"
"""Headers: Unix seconds; `v1=` and the signature in hex; what is the same for a repeated post."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature: HMAC-SHA256 (RFC 2104) over the timestamp, a full stop and the body."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Webhook:
    """Implements `Provider`."""

    def __init__(
        self, settings: WebhookSettings, poster: Poster, now_s: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._poster = poster
        self._now_s = now_s

    async def send(self, notification: Notification) -> Outcome:
        """See `Provider`."""
        body = encode_json(msgspec.to_builtins(notification))
        timestamp = str(int(self._now_s()))
        headers = {
            "content-type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._settings.secret, timestamp, body),
            ID: f"{notification.id}/{notification.device}",
        }
        try:
            answer = await self._poster.post(self._settings.url, headers, body)
        except UnreachableError as error:
            return later(str(error))
        return outcome_of(answer, self._now_s())


def outcome_of(answer: Answer, now_s: float) -> Outcome:
    """Return what an answer means: 2xx sent, 410 no such token, 429 and 5xx later, else never."""
    reason = f"http_{answer.status}"
    if 200 <= answer.status < 300:
        return Outcome(Verdict.SENT)
    if answer.status == 410:
        return Outcome(Verdict.GONE, reason)
    # 401 and 404 too: a server that is set up wrongly is no fault of the message.
    if answer.status in (401, 403, 404, 408, 425, 429) or answer.status >= 500:
        return later(reason, retry_after_s(answer.retry_after, now_s))
    return Outcome(Verdict.REFUSED, reason)
