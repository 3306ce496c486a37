"""Notifies one user's devices of one message, and says what that makes of the row."""

from collections.abc import Callable, Mapping

import trio

from backends.push.interface import Notification, Outcome, Verdict
from logic.notify import attempts
from logic.notify.contents import Content
from logic.notify.counters import NotifyCounters
from logic.notify.gate import Gate
from logic.notify.rows import Conclusion, Row, Token
from logic.notify.rules import Tell
from logic.notify.settings import PushSettings
from proto.ids import RandomBits

MAX_SENT = 20_000
NOT_CONFIGURED = Outcome(Verdict.REFUSED, "not_configured")
_JITTER_BITS = 16


class Telling:
    """Sends to all devices at once; a device that has the notification is not sent it again by
    this instance when another one of the user has failed."""

    def __init__(
        self,
        settings: PushSettings,
        gates: Mapping[str, Gate],
        counters: NotifyCounters,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._settings = settings
        self._gates = gates
        self._counters = counters
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._sent: dict[tuple[str, str, str], None] = {}
        """(uid, device, message id), the oldest first."""

    async def tell(self, row: Row, content: Content, decided: Tell) -> Conclusion:
        """Send, and return what to write down."""
        outcomes: dict[Token, Outcome] = {}

        async def send(token: Token) -> None:
            outcomes[token] = await self._send(token, content.to(token, decided.quiet))

        async with trio.open_nursery() as nursery:
            for token in decided.tokens:
                nursery.start_soon(send, token)
        return self._conclude(row, content, outcomes)

    async def _send(self, token: Token, notification: Notification) -> Outcome:
        key = (notification.uid, notification.device, notification.id)
        if key in self._sent:
            return Outcome(Verdict.SENT)
        gate = self._gates.get(token.provider)
        outcome = await gate.send(notification) if gate else NOT_CONFIGURED
        if outcome.verdict is Verdict.SENT:
            self._sent[key] = None
            if len(self._sent) > MAX_SENT:
                del self._sent[next(iter(self._sent))]
        return outcome

    def _conclude(
        self, row: Row, content: Content, outcomes: Mapping[Token, Outcome]
    ) -> Conclusion:
        gone = tuple(t for t, outcome in outcomes.items() if outcome.verdict is Verdict.GONE)
        for outcome in outcomes.values():
            if outcome.verdict is Verdict.REFUSED:
                self._counters.dropped[outcome.reason] += 1
        failed = attempts.failed(list(outcomes.values()))
        if not failed:
            return Conclusion(row, gone=gone)
        made = row.attempts + attempts.asked(failed)
        age_s = (self._now_ms() - content.ts_ms) / 1000
        if made > row.attempts and attempts.given_up(self._settings, made, age_s):
            self._counters.dropped[failed[0].reason] += 1
            return Conclusion(row, gone=gone)
        pause_s = attempts.pause_s(made, failed, self._jitter())
        return Conclusion(row, self._now_ms() + round(pause_s * 1000), made, gone)

    def _jitter(self) -> float:
        return self._random_bits(_JITTER_BITS) / (1 << _JITTER_BITS)
