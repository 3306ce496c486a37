"""The one-use tokens of a `move`."""

import jwt
import pytest
from msgspec.structs import replace as changed

from proto.errors import ErrorCode, RequestError
from proto.resume_tokens import Resume, mint_resume, verify_resume
from proto.token_keys import Keyring, hs256
from proto.tokens import Claims, mint

SECRET = "s" * 32
OWN = Keyring([hs256(SECRET)])
RESUME = Resume("ann", "lobby", "hot-1", "j1", exp=1_000)


def test_a_token_says_what_was_minted() -> None:
    assert verify_resume(mint_resume(RESUME, OWN), OWN, now_s=999) == RESUME


@pytest.mark.parametrize(
    "token",
    [
        "x",
        mint_resume(RESUME, Keyring([hs256("t" * 32)])),
        mint_resume(changed(RESUME, aud="relaymesh"), OWN),
        mint(Claims("ann", 2_000), SECRET),
        jwt.encode({"sub": "ann"}, SECRET, algorithm="HS256"),
        jwt.encode({"sub": "ann"}, None, algorithm="none"),
    ],
)
def test_any_other_token_is_refused_by_its_field(token: str) -> None:
    with pytest.raises(RequestError) as refused:
        verify_resume(token, OWN, now_s=999)
    assert refused.value.body.code is ErrorCode.TOKEN_INVALID
    assert refused.value.body.field == "resume"


def test_an_expired_token_is_refused() -> None:
    with pytest.raises(RequestError, match="resume: expired"):
        verify_resume(mint_resume(RESUME, OWN), OWN, now_s=1_000)
