"""Refresh tokens: how they look, and what it means that one comes again. Pure.

A token is 48 random bytes: 16 that name the family, which is one login, and 32 that are the token
itself. Each use gives the next token of the family, and the one before it is dead (RFC 9700,
section 4.14.2). Only hashes are kept, and of a family only the newest two: any other token that
names a family must be an old one, since nobody guesses a family, so that no history is needed to
tell that a token is used again.
"""

from enum import Enum, auto
from hashlib import sha256
from typing import NamedTuple

from backends.database.logins import Login
from proto.ids import RandomBits

FAMILY_BYTES = 16
SECRET_BYTES = 32


class Use(Enum):
    """What the use of a token is."""

    FIRST = auto()
    REPEATED = auto()
    """Used a moment ago: the answer may have been lost."""
    REUSED = auto()
    """Used long ago, by the client or by somebody who has stolen it."""


class RefreshToken(NamedTuple):
    """A token as its holder has it."""

    family: bytes
    secret: bytes

    @classmethod
    def new(cls, random_bits: RandomBits) -> "RefreshToken":
        """Return the first token of a new family."""
        return cls(_random(random_bits, FAMILY_BYTES), _random(random_bits, SECRET_BYTES))

    def next(self, random_bits: RandomBits) -> "RefreshToken":
        """Return another token of the family."""
        return self._replace(secret=_random(random_bits, SECRET_BYTES))

    @property
    def text(self) -> str:
        """What is given to the client."""
        return (self.family + self.secret).hex()

    @property
    def family_hash(self) -> bytes:
        """What is kept of the family."""
        return sha256(self.family).digest()

    @property
    def hash(self) -> bytes:
        """What is kept of the token."""
        return sha256(self.secret).digest()


def parse(text: str) -> RefreshToken | None:
    """Return the token that `text` is; `None` where it can be none."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    if len(raw) != FAMILY_BYTES + SECRET_BYTES:
        return None
    return RefreshToken(raw[:FAMILY_BYTES], raw[FAMILY_BYTES:])


def judge(login: Login, token: RefreshToken, now_ms: int, grace_ms: float) -> Use:
    """Say what it means that `token` is used now."""
    # Hashes of what is random: comparing them tells nothing by its time.
    if token.hash == login.token:
        return Use.FIRST
    if token.hash == login.previous and now_ms - login.rotated <= grace_ms:
        return Use.REPEATED
    return Use.REUSED


def rotated(login: Login, used: Use, following: RefreshToken, now_ms: int, until_ms: int) -> Login:
    """Return the login as it is after a use: `following` is the token that is good now.

    Who repeats a use goes on with a token of its own, and the one that the first answer held is
    dead: if it was not lost but is in other hands, it shows at the next refresh of either.
    """
    if used is Use.FIRST:
        login = login._replace(previous=login.token, rotated=now_ms)
    return login._replace(token=following.hash, seen=now_ms, until=until_ms)


def _random(random_bits: RandomBits, size: int) -> bytes:
    return random_bits(size * 8).to_bytes(size, "big")
