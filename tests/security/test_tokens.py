"""Attacks with tokens."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from access.edge.opening.addresses import AddressLimits
from backends.rate_limit.interface import Rate
from proto.close_codes import CloseCode
from proto.resume_tokens import Resume, mint_resume
from proto.token_keys import Keyring, hs256
from proto.token_settings import TokenSettings
from tests.access.cluster import NOW_MS, SECRET, token
from tests.security.conftest import LOBBY, House, ask, open_house

CLAIMS = {"sub": "ann", "exp": NOW_MS // 1000 + 60, "aud": "relaymesh", "role": "server"}
UNTRUSTING = AddressLimits(trusted_proxies=(), failures=Rate(0.01, 3))
EXPIRED = ("token_expired", CloseCode.TOKEN_EXPIRED)
INVALID = ("token_invalid", CloseCode.TOKEN_INVALID)


@pytest.fixture(scope="session")
def rsa() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def public_pem(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
async def house(rsa: RSAPrivateKey, tmp_path: Path) -> AsyncIterator[House]:
    """A node that believes an RSA key too."""
    file = tmp_path / "company.pem"
    file.write_bytes(public_pem(rsa))
    tokens = TokenSettings(secret=SECRET, key_files=(str(file),))
    async with open_house({}, tokens=tokens) as house:
        yield house


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], signature: bytes = b"") -> str:
    return f"{part(header)}.{part(CLAIMS)}.{part(signature)}"


def hs256_by_hand(secret: bytes, **header: Any) -> str:
    """As libraries refuse to: any bytes as the secret."""
    signing = f"{part({'alg': 'HS256', **header})}.{part(CLAIMS)}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{signing}.{part(algorithm.sign(signing.encode(), secret))}"


async def test_the_key_of_the_company_is_believed(house: House, rsa: RSAPrivateKey) -> None:
    shown = jwt.encode(CLAIMS, rsa, algorithm="RS256", headers={"kid": "company"})
    async with house.visitor() as visitor:
        assert (await ask(visitor, "hello", token=shown))["ok"]["uid"] == "ann"


@pytest.mark.parametrize("alg", ["none", "NoNe", "", None, ["HS256"]])
async def test_a_token_without_a_signature_is_refused(house: House, alg: Any) -> None:
    assert await house.hello_with(by_hand({"alg": alg, "typ": "JWT"})) == INVALID


@pytest.mark.parametrize("signature", [b"", b"\0" * 32], ids=["empty", "zeros"])
async def test_a_signature_that_is_none_is_refused(house: House, signature: bytes) -> None:
    assert await house.hello_with(by_hand({"alg": "HS256"}, signature)) == INVALID


async def test_a_public_key_is_no_shared_secret(house: House, rsa: RSAPrivateKey) -> None:
    pem = public_pem(rsa)
    for secret in (pem, pem.strip(), pem.decode().encode("utf-16")):
        for header in ({}, {"kid": "company"}):
            assert await house.hello_with(hs256_by_hand(secret, **header)) == INVALID


async def test_a_shared_secret_is_no_key_of_another_algorithm(house: House) -> None:
    shown = jwt.encode(CLAIMS, SECRET, algorithm="HS384")
    assert await house.hello_with(shown) == INVALID


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "company\0"},
        {"kid": ["company"]},
        {"kid": "x" * 2000},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"jwk": {"kty": "oct", "k": part(b"")}},
        {"crit": ["exp"], "b64": False},
    ],
    ids=["a path", "SQL", "a zero byte", "a list", "long", "jku", "x5u", "jwk", "crit"],
)
async def test_a_header_names_no_key_of_its_own(house: House, header: dict[str, Any]) -> None:
    assert await house.hello_with(hs256_by_hand(b"", **header)) == INVALID


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW_MS // 1000},
        {"exp": 1e400},
        {"aud": "relaymesh-gift"},
        {"aud": ["other"]},
        {"nbf": NOW_MS // 1000 + 60},
        {"sub": "a\nb"},
        {"sub": ""},
        {"role": "root"},
    ],
    ids=["expired", "for ever", "aud of a receipt", "audiences", "nbf", "line", "nobody", "role"],
)
async def test_claims_out_of_range_are_refused(house: House, claims: dict[str, Any]) -> None:
    expected = EXPIRED if claims == {"exp": NOW_MS // 1000} else INVALID
    shown = jwt.encode(CLAIMS | claims, SECRET, algorithm="HS256")
    assert await house.hello_with(shown) == expected


async def test_a_refresh_does_not_change_who_somebody_is(house: House) -> None:
    async with house.visitor() as visitor:
        await ask(visitor, "hello", token=token("ann"))
        error = (await ask(visitor, "refresh", token=token("bob", role="server")))["error"]
        assert (error["code"], error["field"]) == ("token_invalid", "token")
        assert "ok" in await ask(visitor, "ping")


async def test_a_resume_token_that_was_used_is_refused() -> None:
    moved = Resume("ann", "lobby", "p1", "j1", exp=NOW_MS // 1000 + 30)
    resume = mint_resume(moved, Keyring([hs256(SECRET)]))
    async with open_house({}, pool="p1") as house:
        async with house.visitor() as visitor:
            hello = {"token": token("ann"), "join": LOBBY, "resume": resume}
            assert "ok" in await ask(visitor, "hello", **hello)
        async with house.visitor() as thief:
            hello["token"] = token("eve")
            assert (await ask(thief, "hello", **hello))["error"]["field"] == "resume"
            hello["token"] = token("ann")
            assert (await ask(thief, "hello", **hello))["error"]["field"] == "resume"


async def test_guessing_tokens_keeps_an_address_out() -> None:
    async with open_house({}) as house:
        counters = house.server.counters
        house.server.addresses.reconfigured(UNTRUSTING)
        for _ in range(3):
            assert await house.hello_with("garbage") == INVALID
        answer = await house.answer_to(b"GET /v1 HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert counters.handshake_errors["address_failures"] == 1
