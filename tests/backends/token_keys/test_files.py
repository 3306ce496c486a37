"""The keyring that a node reads: which tokens it believes, and what it says of files of no use."""

import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from backends.token_keys.files import load_key, load_keyring
from proto.errors import RequestError
from proto.token_settings import TokenSettings
from proto.tokens import Claims, mint, sign, verify

SECRET, BEFORE = "s" * 32, "b" * 32
ED = Ed25519PrivateKey.generate()
RSA = generate_private_key(65537, 2048)
CLAIMS = Claims("ann", 1000)


def private(key: Any, password: bytes | None = None) -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    return pem


def public(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def settings(**fields: Any) -> TokenSettings:
    return TokenSettings(secret=SECRET, **fields)


def believed(token: str, **fields: Any) -> bool:
    try:
        return verify(token, load_keyring(settings(**fields)), 1).sub == "ann"
    except RequestError:
        return False


def _for_another_algorithm() -> bytes:
    key = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "2026", "alg": "RS512"}
    return json.dumps({"keys": [key]}).encode()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "ed.pem").write_bytes(private(ED))
    (tmp_path / "ed-public.pem").write_bytes(public(ED))
    (tmp_path / "rsa.pem").write_bytes(private(RSA))
    (tmp_path / "rsa-public.pem").write_bytes(public(RSA))
    keys = [
        RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "2026", "use": "sig"},
        OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True) | {"kid": "2027"},
    ]
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": keys}))
    return tmp_path


def test_both_secrets_are_believed_while_they_are_changed() -> None:
    assert believed(mint(CLAIMS, SECRET))
    assert not believed(mint(CLAIMS, BEFORE))
    assert believed(mint(CLAIMS, BEFORE), previous_secret=BEFORE)


@pytest.mark.parametrize("name", ["ed", "rsa"])
def test_what_a_private_key_signed_its_public_key_believes(files: Path, name: str) -> None:
    token = sign(CLAIMS, load_key(str(files / f"{name}.pem")))
    assert jwt.get_unverified_header(token)["kid"] == name
    assert believed(token, key_files=(str(files / f"{name}.pem"),))
    # Another key id: whoever names one gets that key alone.
    assert not believed(token, key_files=(str(files / f"{name}-public.pem"),))
    assert not believed(token)


def test_a_key_set_holds_two_keys_of_an_issuer(files: Path) -> None:
    jwks = str(files / "jwks.json")
    payload = {"sub": "ann", "exp": 1000, "aud": ["relaymesh", "shop"], "iss": "https://id.example"}
    for key, algorithm, kid in ((RSA, "RS256", "2026"), (ED, "EdDSA", "2027")):
        token = jwt.encode(payload, key, algorithm, headers={"kid": kid})
        assert believed(token, jwks_file=jwks, algorithms=(algorithm,))
        assert believed(token, jwks_file=jwks, issuers=("https://id.example",))
        assert not believed(token, jwks_file=jwks, issuers=("https://other.example",))
        swapped = jwt.encode(payload, key, algorithm, headers={"kid": "2025"})
        assert not believed(swapped, jwks_file=jwks)


def test_an_external_issuer_alone(files: Path) -> None:
    only = {"jwks_file": str(files / "jwks.json"), "algorithms": ("RS256",)}
    assert not believed(mint(CLAIMS, SECRET), **only)


def test_a_public_key_is_no_shared_secret(files: Path) -> None:
    """RS256/HS256 key confusion: what is signed with the text of the public key."""
    for name in ("rsa-public", "ed-public"):
        text = (files / f"{name}.pem").read_bytes()
        parts = ({"alg": "HS256", "kid": name}, {"sub": "ann", "exp": 1000, "aud": "relaymesh"})
        signing = b".".join(base64url_encode(json.dumps(part).encode()) for part in parts)
        signature = base64url_encode(hmac.digest(text, signing, "sha256"))
        forged = (signing + b"." + signature).decode()
        assert not believed(forged, key_files=(str(files / f"{name}.pem"),))


@pytest.mark.parametrize(
    ("field", "content", "said"),
    [
        ("key_files", None, "No such file"),
        ("key_files", b"nonsense", "Unable to load PEM file"),
        ("key_files", private(ED, b"pass"), "the key has a password"),
        ("key_files", private(generate_private_key(65537, 1024)), "at least 2048 bits"),
        ("jwks_file", None, "No such file"),
        ("jwks_file", b"[]", "not a JSON Web Key Set"),
        ("jwks_file", b'{"keys": []}', "not a JSON Web Key Set"),
        ("jwks_file", b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "shared secrets go into"),
        ("jwks_file", _for_another_algorithm(), "'2026' is for RS512; expected RS256"),
    ],
)
def test_a_file_of_no_use_is_refused_by_its_key(
    tmp_path: Path, field: str, content: bytes | None, said: str
) -> None:
    file = tmp_path / "a"
    if content is not None:
        file.write_bytes(content)
    value = str(file) if field == "jwks_file" else (str(file),)
    with pytest.raises(ValueError, match=rf"tokens\.{field}: .*{said}"):
        load_keyring(settings(**{field: value}))


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tokens\.algorithms: expected 1 to 16 keys, got 0"):
        load_keyring(settings(algorithms=("RS256",)))
