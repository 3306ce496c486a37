"""Tokens: who a client is. JWT (RFC 7519), verified at the edge against the node's keyring."""

import hmac
from functools import lru_cache
from typing import Literal

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

from proto.errors import ErrorCode, RequestError
from proto.ids import UID_PATTERN, is_room, is_uid
from proto.token_keys import Key, Keyring, hs256

AUDIENCE = "relaymesh"


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says. `sub` is the uid, `exp` and `iat` are Unix seconds (`iat` to the
    millisecond where we issue it), `host` and `mod` list the rooms that the holder hosts or
    moderates, `sid` is the login that the token belongs to; role `server` is a back end: it may
    publish anywhere."""

    sub: str
    exp: int
    aud: str = AUDIENCE
    iat: float = 0
    name: str = ""
    role: Literal["viewer", "server"] = "viewer"
    host: tuple[str, ...] = ()
    mod: tuple[str, ...] = ()
    sid: str = ""
    iss: str = ""

    def role_in(self, room: str) -> str:
        """Return the holder's role in `room`: `server`, `host`, `moderator` or `viewer`."""
        if self.role == "server":
            return "server"
        if room in self.host:
            return "host"
        return "moderator" if room in self.mod else "viewer"


class _Signed(Claims, frozen=True, kw_only=True):
    """The payload as it must be: with the audience, which `Claims` may leave out, and which an
    issuer may list with others."""

    aud: str | list[str]  # type: ignore[assignment]
    exp: int | float  # type: ignore[assignment]
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
_jws.register_algorithm("HS256", _Hs256())
_jws.register_algorithm("RS256", RSAAlgorithm(RSAAlgorithm.SHA256))
_jws.register_algorithm("EdDSA", OKPAlgorithm())
_decode_signed = msgspec.json.Decoder(_Signed).decode


def mint(claims: Claims, secret: str) -> str:
    """Return a token signed with a shared secret; raises as `sign` does."""
    return sign(claims, hs256(secret))


def sign(claims: Claims, key: Key) -> str:
    """Return a signed token; raises `ValueError` for what `verify` would refuse, and for a key
    that only verifies."""
    if not is_uid(claims.sub):
        raise ValueError(f"uid {claims.sub!r} must match {UID_PATTERN}")
    for room in (*claims.host, *claims.mod):
        if not is_room(room):
            raise ValueError(f"{room!r} can't be the name of a room")
    # The audience is a default and so left out by the Struct, but no token goes without one.
    payload = msgspec.to_builtins(claims) | {"aud": claims.aud}
    return sign_payload(msgspec.json.encode(payload), key)


def sign_payload(payload: bytes, key: Key) -> str:
    """Return the JWS (RFC 7515, compact) of any payload; raises `ValueError` for a key that only
    verifies."""
    if key.signing is None:
        raise ValueError(f"key {key.kid!r} only verifies")
    headers = {"kid": key.kid} if key.kid else None
    return _jws.encode(payload, key.signing, algorithm=key.algorithm, headers=headers)


def verify(token: str, keyring: Keyring, now_s: float) -> Claims:
    """Return the claims of `token` at Unix time `now_s`.

    Raises `RequestError` with `token_invalid` or `token_expired`; the message says what is wrong
    and never repeats the token.
    """
    try:
        signed = _decode_signed(verify_payload(token, keyring))
    except (jwt.InvalidTokenError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _invalid(str(error)) from None
    audiences = [signed.aud] if isinstance(signed.aud, str) else signed.aud
    if AUDIENCE not in audiences:
        raise _invalid(f"aud must be {AUDIENCE}")
    if keyring.issuers and signed.iss not in keyring.issuers:
        raise _invalid("iss is no issuer of this cluster's")
    if signed.nbf > now_s:
        raise _invalid("not valid yet (nbf)")
    if not is_uid(signed.sub):
        raise _invalid(f"sub must match {UID_PATTERN}")
    if signed.exp <= now_s:
        raise RequestError(ErrorCode.TOKEN_EXPIRED, field="token")
    return Claims(
        signed.sub,
        int(signed.exp),
        AUDIENCE,
        signed.iat,
        signed.name,
        signed.role,
        signed.host,
        signed.mod,
        signed.sid,
        signed.iss,
    )


def verify_payload(token: str, keyring: Keyring) -> bytes:
    """Return what a JWS carries, if one of the keys has signed it.

    Raises `jwt.InvalidTokenError` or `ValueError`. The key decides the algorithm, not the token.
    """
    header = _jws.get_unverified_header(token)
    keys = keyring.candidates(header.get("alg"), header.get("kid"))
    if not keys:
        raise jwt.InvalidTokenError("signed with no algorithm and key of this cluster's")
    for key in keys[:-1]:
        try:
            return _payload(token, key)
        except jwt.InvalidSignatureError:
            continue
    return _payload(token, keys[-1])


def _payload(token: str, key: Key) -> bytes:
    # PyJWT's stub says Any.
    payload: bytes = _jws.decode(token, key.verifying, algorithms=[key.algorithm])
    return payload


def _invalid(why: str) -> RequestError:
    return RequestError(ErrorCode.TOKEN_INVALID, f"token: {why}", field="token")
