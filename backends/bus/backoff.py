"""How long to wait before trying again."""

from collections.abc import Callable


def backoff_s(attempt: int, first_s: float, most_s: float, random: Callable[[], float]) -> float:
    """Return the seconds to wait after failed try number `attempt` (from 1).

    Doubles from `first_s` up to `most_s`; `random` (0 to 1) takes up to a quarter off, so that
    those who failed together don't come back together.
    """
    whole_s = min(most_s, first_s * 2.0 ** min(attempt - 1, 60))
    return whole_s * (1 - random() / 4)
