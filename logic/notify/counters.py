"""What offline push has done, as plain integers that a collector reads."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class NotifyCounters:
    """Counts since the start of the process; `pending` is what waits in the database."""

    pending: int = 0
    cancelled: Counter[str] = field(default_factory=Counter)
    """Rows that nobody had to be notified of any more, by reason."""
    postponed: Counter[str] = field(default_factory=Counter)
    """Looks at a row that were too early, by reason."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows given up after failures, by reason."""
