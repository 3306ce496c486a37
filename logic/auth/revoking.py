"""Revokes what users and logins were given, for the whole cluster."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection

from backends.database.accounts import refuse_tokens
from backends.database.database import Database
from backends.database.logins import remove_logins
from backends.revocations.interface import Revocations
from logic.auth.settings import AuthSettings
from proto.auth_services import Revocation, decode_revoke
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.ids import SESSION_ID_PATTERN, UID_PATTERN, is_session_id, is_uid
from proto.server_frames import encode_json

CLOCKS_MS = 1000
"""By how much the clocks of two logic nodes may differ: a token that one of them, ahead, has just
issued is revoked all the same, and the account's next one is dated after it."""
SLACK_MS = 60_000
"""For which revocations are kept beyond the life of tokens: clocks of other nodes may be slow, and
a login that was revoked may have a last token before the database ends it."""
ROUNDS = 3
"""A database that is slower each time is overloaded; what it lets through lives for minutes."""

log = structlog.get_logger()


class Revoking:
    """Serves `Method.REVOKE`, and ends logins for those who ask for it.

    The store comes first, since it is what closes connections, and then the database; where that
    fails, asking again does both. Methods raise `StoreUnavailableError`.
    """

    def __init__(
        self,
        settings: AuthSettings,
        revocations: Revocations,
        database: Database,
        now_ms: Callable[[], int],
    ) -> None:
        self.settings = settings
        self._revocations = revocations
        self._database = database
        self._now_ms = now_ms
        self.users = 0
        self.logins = 0

    async def handle(self, _header: RequestHeader, body: bytes) -> bytes:
        """Return what was revoked, as JSON; raises `RequestError`."""
        asked = decode_revoke(body)
        if asked.sid:
            _check("sid", is_session_id(asked.sid), SESSION_ID_PATTERN)
            await self.login(asked.uid or self._owner(asked.sid), asked.sid)
            return encode_json({"sid": asked.sid})
        _check("uid", is_uid(asked.uid), UID_PATTERN)
        await self.user(asked.uid)
        return encode_json({"uid": asked.uid})

    async def user(self, uid: str) -> None:
        """Revoke all that `uid` was given up to now, and end all its logins."""
        for _ in range(ROUNDS):
            if await self._revoke(uid):
                break
        self.users += 1
        log.info("user_revoked", uid=uid)

    async def _revoke(self, uid: str) -> bool:
        """Revoke and end; false where a login that was to end may have had a token meanwhile that
        is dated after the revocation: now that it has ended, another round is about that one."""
        now_ms = self._now_ms()
        before_ms = now_ms + (CLOCKS_MS if self._own else 0)
        until_ms = now_ms + self._life_ms() + SLACK_MS
        await self._revocations.revoke([Revocation(uid, "", before_ms, until_ms)])
        if not self._own:
            return True
        await self._database.write(lambda c: _end(c, uid, before_ms))
        return self._now_ms() < before_ms

    async def login(self, uid: str, sid: str) -> None:
        """Revoke login `sid`; `uid` may be "" where it is not known."""
        await self.logins_of(uid, [sid])

    async def logins_of(self, uid: str, sids: Sequence[str]) -> None:
        """Revoke some logins of one user."""
        now_ms = self._now_ms()
        until_ms = now_ms + self._life_ms(own=self._own and bool(uid)) + SLACK_MS
        await self._revocations.revoke([Revocation(uid, sid, now_ms, until_ms) for sid in sids])
        if self._own and uid:
            await self._database.write(lambda c: remove_logins(c, uid, list(sids)))
        self.logins += len(sids)
        for sid in sids:
            log.info("login_revoked", uid=uid, sid=sid)

    @property
    def _own(self) -> bool:
        return self.settings.kind == "accounts"

    def _life_ms(self, *, own: bool = False) -> int:
        """Return how long a token may live: an `own` one, or any."""
        if own:
            return round(self.settings.access_token_s * 1000) + CLOCKS_MS
        return round(self.settings.revoked_for_s * 1000)

    def _owner(self, sid: str) -> str:
        """Return whose login it is, if it is one of the cluster's own."""
        return sid.rpartition(".")[0] if self._own and is_own(sid) else ""


def is_own(sid: str) -> bool:
    """Say whether `sid` looks like those that are made here: `UID.RANDOM`."""
    return sid.startswith("u-") and "." in sid


def _check(field: str, fine: bool, pattern: str) -> None:
    if not fine:
        raise RequestError(ErrorCode.BAD_FRAME, f"{field}: must match {pattern}", field=field)


def _end(connection: Connection, uid: str, up_to_ms: int) -> None:
    refuse_tokens(connection, uid, up_to_ms)
    remove_logins(connection, uid)
