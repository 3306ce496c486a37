"""Firebase Cloud Messaging, HTTP v1."""

from collections.abc import Callable
from typing import Any

import structlog

from backends.http.client import Answer, HttpClient, UnreachableError
from backends.push.fcm_message import fcm_body
from backends.push.google_token import AccessTokens, ServiceAccount
from backends.push.interface import Notification, Outcome, Verdict
from backends.push.postponing import later, retry_after_s
from backends.push.settings import FcmSettings

QUOTA_S = 60.0
"""FCM asks for a minute where an answer 429 does not say how long to wait."""
_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_CODES = frozenset(
    (
        "INVALID_ARGUMENT",
        "UNREGISTERED",
        "SENDER_ID_MISMATCH",
        "QUOTA_EXCEEDED",
        "UNAVAILABLE",
        "INTERNAL",
        "THIRD_PARTY_AUTH_ERROR",
    )
)
log = structlog.get_logger()


class Fcm:
    """Implements `Provider`."""

    def __init__(
        self,
        settings: FcmSettings,
        account: ServiceAccount,
        http: HttpClient,
        now_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._account = account
        self._http = http
        self._now_s = now_s
        self._tokens = AccessTokens(account, http, now_s)

    def use(self, account: ServiceAccount) -> None:
        """Send in the name of `account` from now on."""
        if account != self._account:
            self._account = account
            self._tokens = AccessTokens(account, self._http, self._now_s)

    @property
    def _url(self) -> str:
        project = self._account.project_id
        return f"{self._settings.endpoint}/v1/projects/{project}/messages:send"

    async def send(self, notification: Notification) -> Outcome:
        """See `Provider`."""
        try:
            tokens, url = self._tokens, self._url
            token = await tokens.get()
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            body = fcm_body(notification, self._settings.ttl_s, self._now_s())
            answer = await self._http.post(url, headers, body)
        except UnreachableError as error:
            return later(str(error))
        if answer.status == 401:
            tokens.forget(token)
        outcome = outcome_of(answer, self._now_s())
        if outcome.verdict is Verdict.REFUSED:
            log.warning("fcm_refused", reason=outcome.reason, answer=answer.body[:300])
        return outcome


def outcome_of(answer: Answer, now_s: float) -> Outcome:
    """Return what FCM's answer means (reference: `ErrorCode`, and "Scale FCM" for retries)."""
    if answer.status == 200:
        return Outcome(Verdict.SENT)
    code, bad_token = _error_of(answer)
    reason = code.lower() if code in _CODES else f"http_{answer.status}"
    if code == "UNREGISTERED" or bad_token:
        return Outcome(Verdict.GONE, reason)
    if answer.status == 429:
        return later(reason, retry_after_s(answer.retry_after, now_s) or QUOTA_S)
    if answer.status >= 500:
        return later(reason, retry_after_s(answer.retry_after, now_s))
    # A project or an account that is not set up yet is no fault of the message.
    if answer.status in (401, 403) and code != "SENDER_ID_MISMATCH":
        return later(reason)
    return Outcome(Verdict.REFUSED, reason)


def _error_of(answer: Answer) -> tuple[str, bool]:
    """Return FCM's own code, and whether it is the token that is no good.

    `INVALID_ARGUMENT` alone does not say so: a message that we built badly has it as well.
    """
    error = _dict(_dict(answer.json()).get("error"))
    details = error.get("details")
    by_type = {
        str(each.get("@type")): each
        for each in (details if isinstance(details, list) else [])
        if isinstance(each, dict)
    }
    code = str(_dict(by_type.get(_ERROR)).get("errorCode", ""))
    violations = _dict(by_type.get(_BAD_REQUEST)).get("fieldViolations")
    fields = {
        each.get("field")
        for each in (violations if isinstance(violations, list) else [])
        if isinstance(each, dict)
    }
    said = "registration token" in str(error.get("message", "")).lower()
    invalid = code == "INVALID_ARGUMENT" or error.get("status") == "INVALID_ARGUMENT"
    return code, invalid and (said or "message.token" in fields)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
