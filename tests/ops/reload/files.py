"""Key files as a config names them."""

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm


def pem(folder: Path, name: str) -> str:
    """A public Ed25519 key, whose id is `name`."""
    file = folder / f"{name}.pem"
    public = Ed25519PrivateKey.generate().public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    file.write_bytes(public.public_bytes(serialization.Encoding.PEM, form))
    return str(file)


def private_pem(folder: Path, name: str) -> str:
    """A private key, which signs."""
    file, form = folder / f"{name}.pem", serialization.PrivateFormat.PKCS8
    encoding, without = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(Ed25519PrivateKey.generate().private_bytes(encoding, form, without))
    return str(file)


def jwks(folder: Path, kid: str) -> str:
    """A set of one such key."""
    public = Ed25519PrivateKey.generate().public_key()
    key = {**OKPAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig"}
    file = folder / f"{kid}.json"
    file.write_text(json.dumps({"keys": [key]}))
    return str(file)


def api_keys(folder: Path, key_id: str) -> str:
    """One API key of a back end."""
    file = folder / "api-keys.toml"
    file.write_text(
        f'[[keys]]\nid = "{key_id}"\nsha256 = "{"0" * 64}"\nscopes = ["publish:room"]\n'
    )
    return str(file)


def service_account(folder: Path) -> str:
    """The key file of a service account of Google's."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "account.json"
    account = {"type": "service_account", "project_id": "p", "private_key_id": "k1"}
    more = {"private_key": key.decode(), "client_email": "a@example.org"}
    file.write_text(json.dumps(account | more))
    return str(file)
