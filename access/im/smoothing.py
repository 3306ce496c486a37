"""When a change of somebody's presence is told: what comes at once, what goes after a while."""

from proto.im_services import UserPresence


class Smoothing:
    """The presence of one user as it was told last. Times are seconds of one clock.

    A phone that changes its network goes and comes within a second: only whoever stays away for
    `offline_s` is told to be gone.
    """

    __slots__ = ("_gone_since", "_offline_s", "told")

    def __init__(self, offline_s: float) -> None:
        self.told: UserPresence | None = None
        self._offline_s = offline_s
        self._gone_since: float | None = None

    def take(self, found: UserPresence, now: float) -> bool:
        """Take what was found now; says whether it is to be told, as `told` then says."""
        if self.told is None or not _goes(self.told, found):
            self._gone_since = None
            return self._tell(found)
        if self._gone_since is None:
            self._gone_since = now
        if now - self._gone_since < self._offline_s:
            return False
        self._gone_since = None
        return self._tell(found)

    def _tell(self, found: UserPresence) -> bool:
        # That a device was heard again is no change.
        changed = self.told is None or _facts(self.told) != _facts(found)
        if changed:
            self.told = found
        return changed


def _online(presence: UserPresence) -> frozenset[str]:
    return frozenset(each.device for each in presence.devices if each.online)


def _facts(presence: UserPresence) -> tuple[str, frozenset[str]]:
    return presence.state, _online(presence)


def _goes(told: UserPresence, found: UserPresence) -> bool:
    """Say whether somebody who was online, or a device of theirs, no longer is."""
    if found.state == "unknown":
        return False
    was_online = told.state == "online" and found.state != "online"
    return was_online or bool(_online(told) - _online(found))
