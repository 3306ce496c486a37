"""Resume tokens: they let a client that was told to move onto the node it was sent to, once."""

import jwt
import msgspec

from proto.errors import ErrorCode, RequestError

AUDIENCE = "relaymesh-move"
ALGORITHM = "HS256"


class Resume(msgspec.Struct, frozen=True):
    """What a resume token says: who (`sub`) moves to `pool` ("": ordinary nodes) because of `room`
    ("": of none, its node drains). `jti` is its own, for use once; `exp` in Unix seconds."""

    sub: str
    room: str
    pool: str
    jti: str
    exp: int
    aud: str = AUDIENCE


def mint_resume(resume: Resume, secret: str) -> str:
    """Return the signed token."""
    return jwt.encode(msgspec.to_builtins(resume), secret, algorithm=ALGORITHM)


def verify_resume(token: str, secret: str, now_s: float) -> Resume:
    """Return what `token` says; raises `RequestError` `token_invalid` with field `resume`."""
    try:
        # The time comes from outside, so that tests decide it.
        payload = jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            options={"verify_exp": False, "verify_aud": False},
        )
        resume = msgspec.convert(payload, Resume)
    except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
        raise invalid_resume(str(error)) from None
    if resume.aud != AUDIENCE:
        raise invalid_resume(f"aud must be {AUDIENCE}")
    if resume.exp <= now_s:
        raise invalid_resume("expired")
    return resume


def invalid_resume(why: str) -> RequestError:
    """Return the refusal: the client says hello again without it."""
    return RequestError(ErrorCode.TOKEN_INVALID, f"resume: {why}", field="resume")
