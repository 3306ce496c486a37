"""Key files as a config names them."""

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
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
