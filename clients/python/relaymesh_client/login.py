"""A login at the gateway, as a source of tokens (docs/auth.md)."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import trio

from relaymesh_client.errors import Refused, refused_by_http

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 1 << 16
MARGIN_S = 90.0
"""A token is exchanged so long before its end, or halfway where it lives for less than twice that:
connections are warned a minute before."""

Tokens = dict[str, Any]
"""What the gateway answers: `uid`, `sid`, `access_token`, `refresh_token` and when each ends; and
`fresh_until_s`, by this device's own clock: until when the access token is used."""


class Login:
    """One login on one device; `connect` takes it for its token.

    >>> login = await Login.log_in("https://chat.example", "ann", password, device="phone")
    >>> async with connect(gateway("https://chat.example"), login) as client: ...

    A refresh token is good once. Whoever wants the login to outlive the process keeps `tokens`
    whenever `changed` gives them, and makes a `Login` of them next time; two that go on from the
    same tokens end each other's login. Methods raise `Refused`, and `OSError` when nothing answers.
    """

    def __init__(
        self, url: str, tokens: Tokens, *, changed: Callable[[Tokens], None] = lambda _: None
    ) -> None:
        self.tokens = tokens
        self._url = url.rstrip("/")
        self._changed = changed
        self._lock = trio.Lock()

    @classmethod
    async def register(
        cls, url: str, name: str, password: str, *, device: str = "", **options: Any
    ) -> "Login":
        """Make an account and log in; `options` are those of the constructor."""
        return await cls._begin(url, "register", name, password, device, options)

    @classmethod
    async def log_in(
        cls, url: str, name: str, password: str, *, device: str = "", **options: Any
    ) -> "Login":
        """Log in; `options` are those of the constructor."""
        return await cls._begin(url, "login", name, password, device, options)

    @property
    def uid(self) -> str:
        """Who has logged in."""
        return str(self.tokens["uid"])

    async def __call__(self) -> str:
        """Return a token that is not about to end, a fresh one if need be: a `TokenSource`."""
        async with self._lock:
            if time.time() >= self.tokens.get("fresh_until_s", 0):
                body = {"refresh_token": self.tokens["refresh_token"]}
                self.tokens = _received(await _ask(self._url, "refresh", body))
                self._changed(self.tokens)
            return str(self.tokens["access_token"])

    async def log_out(self, *, everywhere: bool = False) -> None:
        """End this login, or all of the user's; connections are closed with 4011."""
        path = "logout-everywhere" if everywhere else "logout"
        await _ask(self._url, path, {}, await self())

    @classmethod
    async def _begin(
        cls, url: str, path: str, name: str, password: str, device: str, options: dict[str, Any]
    ) -> "Login":
        body = {"name": name, "password": password, "device": device}
        login = cls(url, _received(await _ask(url.rstrip("/"), path, body)), **options)
        login._changed(login.tokens)
        return login


def _received(tokens: Tokens) -> Tokens:
    """Note until when to use the token. Not by `access_expires_ms`: that is the cluster's clock,
    and this device's may be minutes off."""
    life_s = float(tokens["access_token_s"])
    return {**tokens, "fresh_until_s": time.time() + life_s - min(MARGIN_S, life_s / 2)}


async def _ask(url: str, path: str, body: dict[str, str], token: str = "") -> Tokens:
    return await trio.to_thread.run_sync(_post, f"{url}/v1/auth/{path}", body, token)


def _post(url: str, body: dict[str, str], token: str) -> Tokens:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            found: Tokens = json.loads(answer.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        raise _refusal(error) from None
    return found


def _refusal(error: urllib.error.HTTPError) -> Exception:
    try:
        problem = refused_by_http(json.loads(error.read(MAX_ANSWER_BYTES)))
    except (ValueError, AttributeError):
        problem = Refused("", f"the gateway answered {error.code}")
    if error.code < 500:
        return problem
    return OSError(f"the gateway answered {error.code}: {problem.message}")
