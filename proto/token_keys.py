"""Keys that tokens are signed with: each is good for one algorithm alone (RFC 8725, section 3.1).

A public RSA key is never tried as an HMAC secret, whatever a token's header says, and `none` is no
algorithm here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

Algorithm = Literal["HS256", "EdDSA", "RS256"]
Verifying = bytes | RSAPublicKey | Ed25519PublicKey
Signing = bytes | RSAPrivateKey | Ed25519PrivateKey

MIN_SECRET_BYTES = 32
"""RFC 7518 section 3.2: an HS256 key has at least the size of the hash."""
MIN_RSA_BITS = 2048
"""RFC 7518 section 3.3."""
MAX_KEYS = 16
"""Of one keyring: a token without a `kid` is tried against each of its algorithm."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, its id ("" where it has none), and what signs with it, where that is known here."""

    algorithm: Algorithm
    kid: str
    verifying: Verifying
    signing: Signing | None = None


class Keyring:
    """The keys that tokens may be signed with, and by whom (`issuers`; none named: by anybody who
    has such a key). While keys are changed it holds the old and the new one."""

    def __init__(self, keys: Iterable[Key], issuers: Iterable[str] = ()) -> None:
        self.keys = tuple(keys)
        self.issuers = frozenset(issuers)
        if not 1 <= len(self.keys) <= MAX_KEYS:
            raise ValueError(f"expected 1 to {MAX_KEYS} keys, got {len(self.keys)}")

    def replace(self, other: "Keyring") -> None:
        """Have the keys and issuers of `other` instead, for all who hold this keyring: a reload."""
        self.keys, self.issuers = other.keys, other.issuers

    def candidates(self, algorithm: object, kid: object) -> list[Key]:
        """Return the keys that a token with these two in its header may be signed with: those of
        the algorithm and, where both token and key have an id, of that id."""
        return [
            key
            for key in self.keys
            if key.algorithm == algorithm and (not kid or not key.kid or key.kid == kid)
        ]


def hs256(secret: str, kid: str = "") -> Key:
    """Return the key that is a shared secret; raises `ValueError` for a short one."""
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"the token secret must have at least {MIN_SECRET_BYTES} bytes")
    return Key("HS256", kid, secret.encode(), secret.encode())


def from_pem(pem: bytes, kid: str) -> Key:
    """Return the key of a PEM text: public (it verifies) or private (it signs too), RSA or Ed25519.

    Raises `ValueError` that says what is wrong with it.
    """
    try:
        if b"PRIVATE KEY" in pem:
            private = load_pem_private_key(pem, password=None)
            return _key(private.public_key(), kid, private)
        return _key(load_pem_public_key(pem), kid)
    except TypeError:
        raise ValueError("the key has a password; give one without") from None
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None


def from_jwks(text: bytes) -> list[Key]:
    """Return the keys of a JSON Web Key Set (RFC 7517) that verify signatures.

    Raises `ValueError` that says what is wrong with it: a shared secret is none for a file that is
    made to be published.
    """
    import jwt  # here, since settings name keys in commands that read none

    try:
        found = jwt.PyJWKSet.from_json(text.decode())
    except (jwt.PyJWTError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"not a JSON Web Key Set: {error}") from None
    keys = [each for each in found.keys if each.public_key_use in (None, "sig")]
    return [_key_for(each.key, each.key_id or "", each.algorithm_name) for each in keys]


def _key_for(public: object, kid: str, algorithm: str) -> Key:
    key = _key(public, kid)
    if key.algorithm != algorithm:
        raise ValueError(f"key {kid!r} is for {algorithm}; expected RS256 or EdDSA")
    return key


def _key(public: object, kid: str, signing: object = None) -> Key:
    if isinstance(public, RSAPublicKey) and isinstance(signing, RSAPrivateKey | None):
        if public.key_size < MIN_RSA_BITS:
            raise ValueError(f"an RSA key must have at least {MIN_RSA_BITS} bits")
        return Key("RS256", kid, public, signing)
    if isinstance(public, Ed25519PublicKey) and isinstance(signing, Ed25519PrivateKey | None):
        return Key("EdDSA", kid, public, signing)
    raise ValueError("expected an RSA or an Ed25519 key; shared secrets go into `secret`")
