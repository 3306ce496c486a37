"""Resume tokens: they let a client that was told to move onto the node it was sent to, once."""

import jwt
import msgspec

from proto.errors import ErrorCode, RequestError
from proto.token_keys import Keyring
from proto.tokens import sign_payload, verify_payload

AUDIENCE = "relaymesh-move"


class Resume(msgspec.Struct, frozen=True):
    """What a resume token says: who (`sub`) moves to `pool` ("": ordinary nodes) because of `room`
    ("": of none, its node drains). `jti` is its own, for use once; `exp` in Unix seconds."""

    sub: str
    room: str
    pool: str
    jti: str
    exp: int
    aud: str = AUDIENCE


def mint_resume(resume: Resume, own: Keyring) -> str:
    """Return the token, signed with the first of the cluster's `own` keys."""
    return sign_payload(msgspec.json.encode(resume), own.keys[0])


def verify_resume(token: str, own: Keyring, now_s: float) -> Resume:
    """Return what `token` says; raises `RequestError` `token_invalid` with field `resume`."""
    try:
        resume = msgspec.json.decode(verify_payload(token, own), type=Resume)
    except (jwt.InvalidTokenError, msgspec.MsgspecError, ValueError) as error:
        raise invalid_resume(str(error)) from None
    if resume.aud != AUDIENCE:
        raise invalid_resume(f"aud must be {AUDIENCE}")
    if resume.exp <= now_s:
        raise invalid_resume("expired")
    return resume


def invalid_resume(why: str) -> RequestError:
    """Return the refusal: the client says hello again without it."""
    return RequestError(ErrorCode.TOKEN_INVALID, f"resume: {why}", field="resume")
