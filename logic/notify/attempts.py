"""When a notification that failed is tried again, and when it is given up. Pure."""

from collections.abc import Sequence

from backends.push.interface import Outcome, Verdict
from logic.notify.gate import PAUSED
from logic.notify.settings import PushSettings

FIRST_S, LONGEST_S = 5.0, 3600.0


def failed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return those that are to be tried again."""
    return [outcome for outcome in outcomes if outcome.verdict is Verdict.LATER]


def asked(outcomes: Sequence[Outcome]) -> bool:
    """Say whether a provider was asked at all: what was only held back is no attempt."""
    return any(outcome.reason != PAUSED for outcome in failed(outcomes))


def given_up(settings: PushSettings, attempts: int, age_s: float) -> bool:
    """Say whether a message of that age has failed often enough, or for long enough."""
    return attempts >= settings.attempts or age_s >= settings.give_up_s


def pause_s(attempts: int, outcomes: Sequence[Outcome], jitter: float) -> float:
    """Return after how many seconds to try again: doubled with each attempt, made shorter by up to
    half (`jitter` from 0 to 1) so that what failed together does not come back together; and never
    before the provider wants it."""
    doubled_s = min(FIRST_S * 2.0 ** min(max(attempts - 1, 0), 20), LONGEST_S)
    wanted_s = max((outcome.retry_after_s for outcome in outcomes), default=0.0)
    return max(doubled_s * (1 - jitter / 2), wanted_s)
