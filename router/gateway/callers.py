"""Who calls the gateway, and what it may do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from backends.rate_limit.interface import Rate
from proto.errors import ErrorCode, RequestError
from proto.tokens import Claims
from router.gateway.keys.api_key import ApiKey
from router.gateway.scopes import ALL_SCOPES, Scope

ANYTHING = ("*",)
KEY_START = "api-key:"
"""What the uid of an API key begins with, where logs and messages name who published."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `id` in logs, for limits and to recognise what comes twice.

    `sid` is the login that a token belongs to. `rooms` and `users` are patterns (`*` stands for any
    characters) of the rooms and uids that it may name; `rate` is what it may call, `None` without a
    bound.
    """

    id: str
    name: str = ""
    role: str = "viewer"
    scopes: frozenset[Scope] = frozenset()
    rooms: tuple[str, ...] = ANYTHING
    users: tuple[str, ...] = ANYTHING
    rate: Rate | None = None
    sid: str = ""

    @classmethod
    def of_claims(cls, claims: Claims) -> "Caller":
        """Return the holder of a token: with role `server` it may do everything."""
        scopes = ALL_SCOPES if claims.role == "server" else frozenset[Scope]()
        return cls(claims.sub, claims.name, claims.role, scopes, sid=claims.sid)

    @classmethod
    def of_key(cls, key: ApiKey) -> "Caller":
        """Return the holder of an API key."""
        rate = Rate(key.per_s, key.burst)
        scopes = frozenset(key.scopes)
        return cls(KEY_START + key.id, key.id, "server", scopes, key.rooms, key.users, rate)

    def require(self, scope: Scope) -> None:
        """Raise `RequestError` `forbidden` that names `scope` unless the caller has it."""
        if scope not in self.scopes:
            message = f"This needs an API key with the scope {scope}, or a token of role server."
            raise RequestError(ErrorCode.FORBIDDEN, message, field="authorization")

    def require_user(self) -> None:
        """Raise `RequestError` `forbidden` for an API key, and for who is called like one."""
        if self.id.startswith(KEY_START):
            message = "This is about a user's own account; an API key has none."
            raise RequestError(ErrorCode.FORBIDDEN, message, field="authorization")

    def require_back_end(self) -> None:
        """Raise `RequestError` `forbidden` unless the caller has a scope: users have none."""
        if not self.scopes:
            message = "This needs an API key, or a token of role server."
            raise RequestError(ErrorCode.FORBIDDEN, message, field="authorization")

    def require_room(self, room: str) -> None:
        """Raise `RequestError` `forbidden` unless the caller may name `room`."""
        if not _matches(room, self.rooms):
            message = f"The API key is for rooms {', '.join(self.rooms)}, not for {room}."
            raise RequestError(ErrorCode.FORBIDDEN, message, field="room")

    def require_users(self, uids: Iterable[str], field: str) -> None:
        """Raise `RequestError` `forbidden` for the first of `uids` that the caller may not name."""
        if self.users == ANYTHING:
            return
        for uid in uids:
            if not _matches(uid, self.users):
                message = f"The API key is for users {', '.join(self.users)}, not for {uid}."
                raise RequestError(ErrorCode.FORBIDDEN, message, field=field)

    def require_everybody(self) -> None:
        """Raise `RequestError` `forbidden` where the caller may name some users alone."""
        if self.users != ANYTHING:
            message = f"The API key is for users {', '.join(self.users)}, not for everybody."
            raise RequestError(ErrorCode.FORBIDDEN, message, field="authorization")


NOBODY = Caller("")
"""Who calls what needs no token."""


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
