"""When a group is hot: by members, by rate, or tagged. Pure."""

from typing import NamedTuple

from logic.mailbox.settings import HotSettings


class Signs(NamedTuple):
    """What speaks for and against: `busy_ms` and `quiet_ms` are how long ago the messages were
    sent that stand `HotRules.busy_back` and `quiet_back` before the last one; `None`: there are
    not so many."""

    members: int
    tagged: bool
    busy_ms: int | None
    quiet_ms: int | None


class HotRules:
    """A state machine of two states with hysteresis: between the limits, a group stays as it is."""

    def __init__(self, settings: HotSettings) -> None:
        self._settings = settings
        self.busy_back = max(1, round(settings.per_s * settings.window_s))
        """So many messages within `window_s` are too many."""
        self.quiet_back = max(1, round(settings.cool_per_s * settings.cool_window_s))
        """So many messages within `cool_window_s` are too many to cool."""

    def next(self, hot: bool, signs: Signs) -> bool:
        """Return whether a group that is `hot`, or is not, is to be."""
        if signs.tagged:
            return True
        return self._stays_hot(signs) if hot else self._becomes_hot(signs)

    def _becomes_hot(self, signs: Signs) -> bool:
        busy = signs.busy_ms is not None and signs.busy_ms <= self._settings.window_s * 1000
        return busy or signs.members >= self._settings.members

    def _stays_hot(self, signs: Signs) -> bool:
        loud_ms = self._settings.cool_window_s * 1000
        loud = signs.quiet_ms is not None and signs.quiet_ms <= loud_ms
        return loud or signs.members >= self._settings.cool_members
