"""Access tokens: signed with the first key, verified with its public half."""

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from backends.database.accounts import Account
from logic.auth.keys import load_keys
from logic.auth.settings import AuthSettings
from proto.token_keys import Key
from proto.tokens import Claims, sign


class Issuer:
    """Signs access tokens."""

    def __init__(self, settings: AuthSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self.keys = load_keys(settings)

    def reconfigured(self, settings: AuthSettings) -> None:
        """Take over other keys and lifetimes; raises as `load_keys`, and changes nothing then."""
        self.keys = load_keys(settings)
        self._settings = settings

    def issue(self, account: Account, sid: str) -> tuple[str, int]:
        """Return a token of login `sid`, and when it expires (Unix milliseconds).

        It is dated after all of the account's tokens that were revoked, whose date may be another
        node's, with a clock that is ahead.
        """
        issued_ms = max(self._now_ms(), account.tokens_from + 1)
        exp = int(issued_ms / 1000 + self._settings.access_token_s)
        claims = Claims(
            sub=account.uid,
            exp=exp,
            iat=issued_ms / 1000,
            name=account.name,
            sid=sid,
            iss=self._settings.issuer,
        )
        return sign(claims, self.keys[0]), exp * 1000

    def public_keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set (RFC 7517) of what verifies; a secret is no part of it."""
        return {"keys": [_public(key) for key in self.keys if key.algorithm != "HS256"]}


def _public(key: Key) -> dict[str, Any]:
    use = {"kid": key.kid, "alg": key.algorithm, "use": "sig"}
    if isinstance(key.verifying, RSAPublicKey):
        return RSAAlgorithm.to_jwk(key.verifying, as_dict=True) | use
    assert isinstance(key.verifying, Ed25519PublicKey)
    return OKPAlgorithm.to_jwk(key.verifying, as_dict=True) | use
