"""One API key: its entry in the file of keys, and its token `rmk_ID_SECRET`. Pure."""

import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, NamedTuple

import msgspec

from router.gateway.scopes import Scope

TOKEN_START = "rmk_"
SECRET_BYTES = 32
KEY_ID_PATTERN = r"^[a-z0-9][a-z0-9\-]{0,31}\Z"
PATTERN_PATTERN = r"^[A-Za-z0-9_.:@\-*]{1,64}\Z"
"""Of the names of rooms or users; `*` stands for any characters."""

_TOKEN = re.compile(r"^rmk_([a-z0-9][a-z0-9\-]{0,31})_([A-Za-z0-9_\-]{32,128})\Z")

KeyId = Annotated[str, msgspec.Meta(pattern=KEY_ID_PATTERN)]
Pattern = Annotated[str, msgspec.Meta(pattern=PATTERN_PATTERN)]
Patterns = Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=1000)]


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key: who has its secret may do what `scopes` say, with `rooms` and `users` that match.

    `sha256` is the secret's digest in hex: the secret itself is nowhere, and long enough that no
    salt and no slow hash is needed. It may be used `per_s` times a second, `burst` times at once,
    until it `expires`.
    """

    id: KeyId
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)]
    rooms: Patterns = ("*",)
    users: Patterns = ("*",)
    per_s: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 100.0
    burst: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 200
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""
    expires: datetime | None = None

    def has_secret(self, secret: str) -> bool:
        """Say whether `secret` is the key's, in a time that does not tell how much of it is."""
        return hmac.compare_digest(digest(secret), self.sha256)

    def has_expired(self, now_s: float) -> bool:
        """Say whether the key is of no use at Unix time `now_s`. A time without a zone is UTC."""
        if self.expires is None:
            return False
        zoned = self.expires if self.expires.tzinfo else self.expires.replace(tzinfo=UTC)
        return zoned.timestamp() <= now_s


class Presented(NamedTuple):
    """The two parts of a token that was sent."""

    id: str
    secret: str


def is_key_token(token: str) -> bool:
    """Say whether `token` means to be an API key's: no JWT begins like that."""
    return token.startswith(TOKEN_START)


def parse(token: str) -> Presented | None:
    """Return the parts of an API key's token, or `None` where it is none."""
    found = _TOKEN.match(token)
    return Presented(*found.groups()) if found else None


def token_of(key_id: str, secret: str) -> str:
    """Return what a back end sends as its bearer token."""
    return f"{TOKEN_START}{key_id}_{secret}"


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new secret of 256 bits, in hex."""
    return random_bytes(SECRET_BYTES).hex()


def digest(secret: str) -> str:
    """Return what the file keeps of `secret`."""
    return sha256(secret.encode()).hexdigest()
