"""A webhook: each notification is a signed POST to a server that notifies devices itself."""

from collections.abc import Callable

import msgspec

from backends.http.client import Answer, HttpClient, UnreachableError
from backends.http.signature import SIGNATURE, TIMESTAMP, sign
from backends.push.interface import Notification, Outcome, Verdict
from backends.push.postponing import later, retry_after_s
from backends.push.settings import WebhookSettings
from proto.server_frames import encode_json

ID = "relaymesh-id"
"""Header: the same for a repeated post."""


class Webhook:
    """Implements `Provider`."""

    def __init__(
        self, settings: WebhookSettings, http: HttpClient, now_s: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._http = http
        self._now_s = now_s

    async def send(self, notification: Notification) -> Outcome:
        """See `Provider`."""
        body = encode_json(msgspec.to_builtins(notification))
        timestamp = str(int(self._now_s()))
        headers = {
            "content-type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self.settings.secret, timestamp, body),
            ID: f"{notification.id}/{notification.device}",
        }
        try:
            answer = await self._http.post(self.settings.url, headers, body)
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
