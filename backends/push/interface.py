"""What a notification is, and what comes of sending it, whoever carries it to the device."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message, for one device of `uid`, which its provider knows by `token`.

    `id` is the message's id: sent twice, a device shows it once. A `quiet` one shows nothing and
    makes no sound: it only lets the app fetch what is new.
    """

    token: str
    uid: str
    device: str
    id: str
    conv: str
    seq: int
    kind: str
    ts_ms: int
    title: str
    body: str
    badge: int
    quiet: bool = False


class Verdict(StrEnum):
    """What came of sending."""

    SENT = "sent"
    """The provider has it."""
    LATER = "later"
    """Not now: try again."""
    GONE = "gone"
    """The token is no longer one: forget it."""
    REFUSED = "refused"
    """Never: the provider does not take this very notification."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending; `reason` is a short word for logs and metrics, of a bounded set.

    `retry_after_s` is how long the provider asks to be left alone, by everybody (0: not said).
    """

    verdict: Verdict
    reason: str = ""
    retry_after_s: float = 0.0


class Provider(Protocol):
    """Carries notifications to devices."""

    async def send(self, notification: Notification) -> Outcome:
        """Give `notification` to the provider; does not raise for what goes wrong out there."""
