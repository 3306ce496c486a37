from typing import Any

import jwt
import pytest

from proto.errors import ErrorCode, RequestError
from proto.token_keys import Keyring, hs256
from proto.tokens import Claims, mint, sign_payload, verify

SECRET = "s" * 64
NOW_S = 1_000_000.0
GOOD: dict[str, Any] = {"sub": "ann", "exp": NOW_S + 10, "aud": "relaymesh"}


def signed(claims: dict[str, Any], key: str | None = SECRET, algorithm: str = "HS256") -> str:
    claims = {key: int(value) if key == "exp" else value for key, value in claims.items()}
    return jwt.encode(claims, key, algorithm=algorithm)


def refusal(token: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        verify(token, Keyring([hs256(SECRET)]), NOW_S)
    assert caught.value.body.field == "token"
    assert token not in caught.value.body.message
    return caught.value


def test_what_was_minted_is_verified() -> None:
    claims = Claims(sub="ann", exp=int(NOW_S) + 1, name="Ann", host=("lobby",), iat=5)
    assert verify(mint(claims, SECRET), Keyring([hs256(SECRET)]), NOW_S) == claims


def test_roles_are_by_room_except_for_servers() -> None:
    viewer = Claims(sub="ann", exp=1, host=("lobby",))
    assert (viewer.role_in("lobby"), viewer.role_in("den")) == ("host", "viewer")
    assert Claims(sub="back-end", exp=1, role="server").role_in("den") == "server"


def test_expiry_is_judged_by_the_given_time() -> None:
    token = signed(GOOD)
    assert verify(token, Keyring([hs256(SECRET)]), NOW_S + 9.9).sub == "ann"
    with pytest.raises(RequestError) as caught:
        verify(token, Keyring([hs256(SECRET)]), NOW_S + 10)
    assert caught.value.body.code is ErrorCode.TOKEN_EXPIRED


@pytest.mark.parametrize(
    "token",
    [
        signed(GOOD, "t" * 32),
        signed(GOOD, None, "none"),
        signed(GOOD, SECRET, "HS512"),
        signed(GOOD | {"aud": "other"}),
        signed(GOOD | {"aud": ["other", "another"]}),
        signed({key: value for key, value in GOOD.items() if key != "aud"}),
        signed({key: value for key, value in GOOD.items() if key != "sub"}),
        signed({key: value for key, value in GOOD.items() if key != "exp"}),
        signed(GOOD | {"nbf": NOW_S + 5}),
        signed(GOOD | {"sub": ""}),
        signed(GOOD | {"sub": "a b"}),
        signed(GOOD | {"role": "admin"}),
        signed(GOOD | {"host": "lobby"}),
        signed(GOOD)[:-4] + "AAAA",
        "a.b.c",
        "ä",
        "",
    ],
    ids=[
        "forged",
        "alg none",
        "other algorithm",
        "other audience",
        "other audiences",
        "no aud",
        "no sub",
        "no exp",
        "not yet",
        "empty sub",
        "bad sub",
        "unknown role",
        "host not a list",
        "signature cut",
        "garbage",
        "not ascii",
        "empty",
    ],
)
def test_what_is_no_token_of_ours_is_invalid(token: str) -> None:
    with pytest.raises(RequestError) as caught:
        verify(token, Keyring([hs256(SECRET)]), NOW_S)
    assert caught.value.body.code is ErrorCode.TOKEN_INVALID


def test_a_payload_that_is_nested_too_deeply_is_invalid() -> None:
    nested = b"[" * 5000 + b"]" * 5000
    payload = b'{"sub":"ann","exp":%d,"aud":"relaymesh","x":%b}' % (NOW_S + 10, nested)
    assert refusal(sign_payload(payload, hs256(SECRET))).body.code is ErrorCode.TOKEN_INVALID


def test_a_refusal_never_repeats_the_token() -> None:
    assert refusal(signed(GOOD, "t" * 32)).body.code is ErrorCode.TOKEN_INVALID
    assert refusal("garbage.of.somebody").body.code is ErrorCode.TOKEN_INVALID


@pytest.mark.parametrize(
    ("claims", "secret", "named"),
    [
        (Claims(sub="ann", exp=1), "short", "32 bytes"),
        (Claims(sub="a b", exp=1), SECRET, "a b"),
        (Claims(sub="ann", exp=1, host=("a b",)), SECRET, "a b"),
    ],
)
def test_what_could_not_be_verified_is_not_minted(claims: Claims, secret: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        mint(claims, secret)
