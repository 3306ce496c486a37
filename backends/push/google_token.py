"""Access tokens of Google's APIs for a service account: OAuth 2.0 with a signed JWT (RFC 7523)."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import jwt
import msgspec
import trio
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from backends.http.client import HttpClient, UnreachableError

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_S = 3600
"""Longest life of an assertion that Google takes."""
EARLY_S = 60.0
"""A token is renewed so long before it expires."""


class ServiceAccount(msgspec.Struct, frozen=True):
    """The parts of a service account's key file that count here."""

    type: str
    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str = "https://oauth2.googleapis.com/token"


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float


def read_account(path: str) -> ServiceAccount:
    """Return the service account in the key file; raises `ValueError` that names what is wrong."""
    try:
        account = msgspec.json.decode(Path(path).read_bytes(), type=ServiceAccount)
        key = load_pem_private_key(account.private_key.encode(), None)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: is no service account's key file: {error}") from None
    except (ValueError, TypeError):
        raise ValueError(f"{path}: private_key: must be a PEM private key") from None
    if account.type != "service_account" or not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{path}: must be the key file of a service account, with an RSA key")
    return account


class AccessTokens:
    """Gives the account's access token, asked for anew shortly before it expires."""

    def __init__(
        self, account: ServiceAccount, http: HttpClient, now_s: Callable[[], float]
    ) -> None:
        self._account = account
        self._http = http
        self._now_s = now_s
        self._asking = trio.Lock()
        self._token = ""
        self._until_s = 0.0

    async def get(self) -> str:
        """Return a token that is valid for a while; raises `UnreachableError`."""
        async with self._asking:
            if self._now_s() >= self._until_s:
                await self._ask()
            return self._token

    def forget(self, token: str) -> None:
        """Do not give `token` again: it was refused."""
        if token == self._token:
            self._until_s = 0.0

    async def _ask(self) -> None:
        form = urlencode({"grant_type": GRANT, "assertion": self._assertion()}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await self._http.post(self._account.token_uri, headers, form)
        if answer.status != 200:
            raise UnreachableError("token_refused")
        try:
            token = msgspec.json.decode(answer.body, type=_Token)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UnreachableError("token_refused") from None
        self._token = token.access_token
        self._until_s = self._now_s() + token.expires_in - EARLY_S

    def _assertion(self) -> str:
        account, now_s = self._account, int(self._now_s())
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": now_s,
            "exp": now_s + LIFE_S,
        }
        headers = {"kid": account.private_key_id}
        return jwt.encode(claims, account.private_key, algorithm="RS256", headers=headers)
