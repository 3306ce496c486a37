"""Which key signs, what is published, and settings that are of no use."""

from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from backends.token_keys.files import load_keyring
from logic.auth.service import no_accounts
from logic.settings import Settings
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.services import Method
from proto.token_settings import TokenSettings
from proto.tokens import verify
from tests.logic.auth.conftest import SECRET, START_MS, Front


def write(folder: Path, name: str, private: Any) -> tuple[str, str]:
    """Write the key and its public half; returns both names."""
    pkcs8 = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public").mkdir(exist_ok=True)
    (folder / f"{name}.pem").write_bytes(pkcs8)
    (folder / "public" / f"{name}.pem").write_bytes(public)
    return str(folder / f"{name}.pem"), str(folder / "public" / f"{name}.pem")


@pytest.mark.parametrize("kind", ["EdDSA", "RS256"])
async def test_nodes_need_the_public_half_alone(make_front: Any, tmp_path: Path, kind: str) -> None:
    private = Ed25519PrivateKey.generate() if kind == "EdDSA" else generate_private_key(65537, 2048)
    signing, public = write(tmp_path, "k1", private)
    front: Front = make_front(secret="", key_files=(signing,))
    token = (await front.register())["access_token"]
    nodes = TokenSettings(
        secret="another secret, with more than thirty-two bytes", key_files=(public,)
    )
    assert verify(token, load_keyring(nodes), START_MS / 1000).name == "Ann"
    assert jwt.get_unverified_header(token) == {"alg": kind, "kid": "k1", "typ": "JWT"}
    published = await front.ask("PublicKeys")
    (key,) = jwt.PyJWKSet.from_dict(published).keys
    assert (key.key_id, key.algorithm_name) == ("k1", kind)
    assert jwt.decode(
        token, key, audience="relaymesh", options={"verify_exp": False, "verify_iat": False}
    )
    assert "d" not in published["keys"][0]


async def test_the_key_that_comes_next_is_published_before_it_signs(
    make_front: Any, tmp_path: Path
) -> None:
    old, _ = write(tmp_path, "old", Ed25519PrivateKey.generate())
    _, following = write(tmp_path, "new", Ed25519PrivateKey.generate())
    front: Front = make_front(key_files=(old, following))
    token = (await front.register())["access_token"]
    assert jwt.get_unverified_header(token)["kid"] == "old"
    assert [key["kid"] for key in (await front.ask("PublicKeys"))["keys"]] == ["old", "new"]


async def test_a_secret_is_not_published(front: Front) -> None:
    assert await front.ask("PublicKeys") == {"keys": []}


def settings(**auth: Any) -> Settings:
    tables = {"receipts": {"secret": SECRET}, "auth": {"kind": "accounts"} | auth}
    return msgspec.convert(tables, Settings)


def test_settings_that_are_of_no_use_are_refused_by_name(tmp_path: Path) -> None:
    _, public = write(tmp_path, "k1", Ed25519PrivateKey.generate())
    (tmp_path / "bad.pem").write_text("no key")
    bad: dict[str, dict[str, Any]] = {
        r"auth\.secret: accounts need": {},
        r"auth\.key_files: .*none\.pem": {"key_files": [str(tmp_path / "none.pem")]},
        r"auth\.key_files: .*bad\.pem": {"key_files": [str(tmp_path / "bad.pem")]},
        r"auth\.key_files: .*private": {"key_files": [public]},
        r"auth\.revoked_for_s: expected at least": {"secret": SECRET, "revoked_for_s": 60},
        r"\$\.auth\.secret": {"secret": "short"},
        r"\$\.auth\.passwords\.memory_kib": {"secret": SECRET, "passwords": {"memory_kib": 7167}},
        "unknown field": {"secret": SECRET, "hasher": "md5"},
    }
    for message, auth in bad.items():
        with pytest.raises(msgspec.ValidationError, match=message):
            settings(**auth)
    assert settings(secret=SECRET).auth.access_token_s == 900


async def test_a_cluster_without_accounts_says_so() -> None:
    with pytest.raises(RequestError, match=r"logic\.auth\.kind") as caught:
        await no_accounts(RequestHeader(1, "r", "i", Method.AUTH, 1000), b"")
    assert caught.value.body.code is ErrorCode.NOT_FOUND
