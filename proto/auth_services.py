"""What gateways ask logic about accounts, logins and revocations: bodies of `services.Method`.

Answers to `AuthBody` are JSON, as the gateway hands them on. Bodies hold passwords: they are never
logged.
"""

import msgspec


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What every request of a client has: the address that it came from."""

    address: str


class Register(Asked, frozen=True, tag="register"):
    """Make an account and log in."""

    name: str
    password: str
    device: str = ""


class LogIn(Asked, frozen=True, tag="login"):
    """Begin a login on a device."""

    name: str
    password: str
    device: str = ""


class Refresh(Asked, frozen=True, tag="refresh"):
    """Exchange a refresh token for the next pair."""

    refresh_token: str


class LogOut(Asked, frozen=True, tag="logout"):
    """End a login of the header's uid; `own_sid` is the asker's."""

    sid: str
    own_sid: str = ""


class LogOutEverywhere(Asked, frozen=True, tag="logout_everywhere"):
    """End all logins of the header's uid."""


class ListLogins(Asked, frozen=True, tag="logins"):
    """List the logins of the header's uid; `sid` is the asker's."""

    sid: str


class ChangePassword(Asked, frozen=True, tag="password"):
    """Set another password, and end all logins but `sid`."""

    sid: str
    password: str
    new_password: str


class PublicKeys(Asked, frozen=True, tag="keys"):
    """The keys that verify what is signed here, as a JSON Web Key Set."""


AuthBody = (
    Register
    | LogIn
    | Refresh
    | LogOut
    | LogOutEverywhere
    | ListLogins
    | ChangePassword
    | PublicKeys
)


class Tokens(msgspec.Struct, frozen=True):
    """The answer to who has logged in or refreshed; times are Unix milliseconds. `access_token_s`
    is for how many seconds from now the access token holds: a device's clock may be wrong."""

    uid: str
    name: str
    sid: str
    access_token: str
    access_expires_ms: int
    access_token_s: float
    refresh_token: str
    refresh_expires_ms: int


class LoginRow(msgspec.Struct, frozen=True):
    """A login as its owner sees it: `seen_ms` is when it was begun or refreshed last."""

    sid: str
    device: str
    created_ms: int
    seen_ms: int
    own: bool


class LoginRows(msgspec.Struct, frozen=True):
    """All logins of a user."""

    logins: list[LoginRow]


class RevokeBody(msgspec.Struct, frozen=True, array_like=True):
    """Revoke all that `uid` was given up to now or, with a `sid`, that login alone."""

    uid: str
    sid: str = ""


class Revocation(msgspec.Struct, frozen=True, array_like=True):
    """Tokens that count no more: those of login `sid` or, without one, those of `uid` that were
    issued up to `before_ms`. Forgotten at `until_ms`, when none of them can live any longer. Both
    are Unix milliseconds; `uid` may be "" where only the login is known."""

    uid: str
    sid: str
    before_ms: int
    until_ms: int

    @property
    def subject(self) -> str:
        """What it is about: one user has one revocation, and each login one of its own."""
        return f"sid:{self.sid}" if self.sid else f"uid:{self.uid}"


class RevocationsBody(msgspec.Struct, frozen=True, array_like=True):
    """Another region asks what was revoked after `version`."""

    version: int


class Changes(msgspec.Struct, frozen=True, array_like=True):
    """Revocations in the order of their versions; ask again from `version`. `more`: at once."""

    version: int
    revocations: list[Revocation]
    more: bool = False


decode_auth = msgspec.msgpack.Decoder(AuthBody).decode
decode_revoke = msgspec.msgpack.Decoder(RevokeBody).decode
decode_revocations = msgspec.msgpack.Decoder(RevocationsBody).decode
decode_changes = msgspec.msgpack.Decoder(Changes).decode
