"""How one room is moderated, as this node has learned it. No I/O."""

from collections.abc import Callable, Mapping

from proto.errors import ErrorCode, RequestError
from proto.moderation import Action, Bound, ModerationPush, Standing
from proto.roles import higher, rank


class RoomStanding:
    """Bans, mutes and roles: from the answer that opened the room, and the room's urgent stream
    from then on. What is over is forgotten with the next change."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._bans: dict[str, Bound] = {}
        self._mutes: dict[str, Bound] = {}
        self._roles: dict[str, tuple[str, int]] = {}

    def __len__(self) -> int:
        return len(self._bans) + len(self._mutes) + len(self._roles)

    def replace(self, standing: Standing | None) -> None:
        """Take what logic has said: all that was known before is old."""
        found = standing or Standing()
        self._bans, self._mutes = dict(found.bans), dict(found.mutes)
        self._roles = dict(found.roles)

    def apply(self, push: ModerationPush) -> None:
        """Take one change, in the order of the stream; the same again changes nothing."""
        bound = Bound(push.until_ms, rank(push.by_role))
        match push.action:
            case Action.BAN:
                self._bans = {**self._left(self._bans), push.uid: bound}
            case Action.UNBAN:
                self._bans.pop(push.uid, None)
            case Action.MUTE:
                self._mutes = {**self._left(self._mutes), push.uid: bound}
            case Action.UNMUTE:
                self._mutes.pop(push.uid, None)
            case Action.GRANT:
                held = {uid: it for uid, it in self._roles.items() if self._is_ahead(it[1])}
                self._roles = {**held, push.uid: (push.role, push.until_ms)}
            case Action.REVOKE_ROLE:
                self._roles.pop(push.uid, None)

    def role(self, uid: str, own: str) -> str:
        """Return the role of `uid` in the room: its token's (`own`), or one that it was given."""
        given, until_ms = self._roles.get(uid, ("", 0))
        return higher(own, given) if self._is_ahead(until_ms) else own

    def admit(self, uid: str, own: str) -> None:
        """Raise `RequestError` `banned`, if `uid`, whose token's role is `own`, may not enter."""
        self._refuse(self._bans, uid, own, ErrorCode.BANNED, "banned from it")

    def hear(self, uid: str, own: str) -> None:
        """Raise `RequestError` `muted`, if `uid`, whose token's role is `own`, is."""
        self._refuse(self._mutes, uid, own, ErrorCode.MUTED, "muted here")

    def ban_of(self, uid: str, own: str) -> Bound | None:
        """Return the ban that holds for `uid`, whose token's role is `own`, if one does."""
        return self._binding(self._bans, uid, own)

    def _refuse(
        self, bounds: Mapping[str, Bound], uid: str, own: str, code: ErrorCode, what: str
    ) -> None:
        bound = self._binding(bounds, uid, own)
        if bound is None:
            return
        wait_ms = bound.until_ms - self._now_ms() if bound.until_ms else 0
        how_long = f"for {wait_ms} ms" if wait_ms else "for good"
        raise RequestError(
            code, f"room: you are {what} {how_long}", field="room", retry_after_ms=wait_ms
        )

    def _binding(self, bounds: Mapping[str, Bound], uid: str, own: str) -> Bound | None:
        bound = bounds.get(uid)
        if bound is None or not self._is_ahead(bound.until_ms):
            return None
        return bound if rank(self.role(uid, own)) < bound.rank else None

    def _left(self, bounds: Mapping[str, Bound]) -> dict[str, Bound]:
        return {uid: bound for uid, bound in bounds.items() if self._is_ahead(bound.until_ms)}

    def _is_ahead(self, until_ms: int) -> bool:
        return until_ms == 0 or until_ms > self._now_ms()
