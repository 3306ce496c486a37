"""Tokens: who a client is. JWT (RFC 7519) signed with HS256, verified at the edge."""

import hmac
from functools import lru_cache
from typing import Literal

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm

from proto.errors import ErrorCode, RequestError
from proto.ids import UID_PATTERN, is_room, is_uid

AUDIENCE = "relaymesh"
ALGORITHM = "HS256"
MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: an HS256 key has at least the size of the hash."""


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says. `sub` is the uid, `exp` and `iat` are Unix seconds, `host` lists the rooms
    that the holder hosts; role `server` is a back end: it may publish anywhere."""

    sub: str
    exp: int
    aud: str = AUDIENCE
    iat: int = 0
    name: str = ""
    role: Literal["viewer", "server"] = "viewer"
    host: tuple[str, ...] = ()

    def role_in(self, room: str) -> str:
        """Return the holder's role in `room`: `server`, `host` or `viewer`."""
        if self.role == "server":
            return "server"
        return "host" if room in self.host else "viewer"


class _Signed(Claims, frozen=True, kw_only=True):
    """The payload as it must be: with the audience, which `Claims` may leave out."""

    aud: str
    nbf: float = 0


class _Hs256(HMACAlgorithm):
    """HS256 that judges a key once: PyJWT tries for each token whether the key might be a PEM, a
    DER or a JSON document, which takes longer than all the rest."""

    def __init__(self) -> None:
        super().__init__(HMACAlgorithm.SHA256)
        self._prepared = lru_cache(maxsize=16)(super().prepare_key)

    def prepare_key(self, key: str | bytes) -> bytes:
        """See `HMACAlgorithm`."""
        return self._prepared(key)

    def sign(self, msg: bytes, key: bytes) -> bytes:
        """See `HMACAlgorithm`; in one call of OpenSSL's."""
        return hmac.digest(key, msg, "sha256")


_jws = jwt.PyJWS(algorithms=[])
_jws.register_algorithm(ALGORITHM, _Hs256())
_decode_signed = msgspec.json.Decoder(_Signed).decode


def mint(claims: Claims, secret: str) -> str:
    """Return a signed token; raises `ValueError` for what `verify` would refuse."""
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"the token secret must have at least {MIN_SECRET_BYTES} bytes")
    if not is_uid(claims.sub):
        raise ValueError(f"uid {claims.sub!r} must match {UID_PATTERN}")
    for room in claims.host:
        if not is_room(room):
            raise ValueError(f"{room!r} can't be the name of a room")
    # The audience is a default and so left out by the Struct, but no token goes without one.
    payload = msgspec.to_builtins(claims) | {"aud": claims.aud}
    return jwt.encode(payload, secret, algorithm=ALGORITHM)


def verify(token: str, secret: str, now_s: float) -> Claims:
    """Return the claims of `token` at Unix time `now_s`.

    Raises `RequestError` with `token_invalid` or `token_expired`; the message says what is wrong
    and never repeats the token.
    """
    try:
        signed = _decode_signed(_jws.decode(token, secret, algorithms=[ALGORITHM]))
    except (jwt.InvalidTokenError, msgspec.MsgspecError, ValueError) as error:
        raise _invalid(str(error)) from None
    if signed.aud != AUDIENCE:
        raise _invalid(f"aud must be {AUDIENCE}")
    if signed.nbf > now_s:
        raise _invalid("not valid yet (nbf)")
    if not is_uid(signed.sub):
        raise _invalid(f"sub must match {UID_PATTERN}")
    if signed.exp <= now_s:
        raise RequestError(ErrorCode.TOKEN_EXPIRED, field="token")
    return Claims(
        signed.sub, signed.exp, AUDIENCE, signed.iat, signed.name, signed.role, signed.host
    )


def _invalid(why: str) -> RequestError:
    return RequestError(ErrorCode.TOKEN_INVALID, f"token: {why}", field="token")
