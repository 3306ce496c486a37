"""The cluster as the check reaches it: the gateway's HTTP, and tokens for its clients."""

import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import trio

from ops.check.report import CheckFailedError
from ops.errors import Failure
from proto.receipts import Receipt, mint_receipt
from proto.token_keys import hs256
from proto.tokens import Claims, mint

TIMEOUT_S = 5.0
TOKEN_S = 600


class Gateway:
    """The gateway at `url`; raises `CheckFailedError` for what it refuses."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    async def reachable(self) -> None:
        """Raise `Failure` with one line unless something answers."""
        try:
            await self.ask("GET", "/healthz")
        except CheckFailedError:
            return
        except OSError as error:
            raise Failure(
                f"no cluster answers at {self.url} ({getattr(error, 'reason', error)}); "
                "start one with `relaymesh up`, or give --port-base or --url"
            ) from None

    async def endpoints(self, token: str, room: str) -> dict[str, str]:
        """Return access nodes by name with their URLs."""
        query = urllib.parse.urlencode({"room": room})
        answer = await self.ask("GET", f"/v1/connect?{query}", token=token)
        return {each["node"]: each["url"] for each in answer["endpoints"]}

    async def status(self, token: str) -> dict[str, Any]:
        """Return what `GET /v1/status` says."""
        status: dict[str, Any] = await self.ask("GET", "/v1/status", token=token)
        return status

    async def ask(self, method: str, path: str, *, token: str = "", body: Any = None) -> Any:
        """Return the JSON (or text) that a request is answered with; raises `OSError`."""
        return await trio.to_thread.run_sync(
            _ask, method, self.url + path, token, body, abandon_on_cancel=True
        )


def _ask(method: str, url: str, token: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:200]
        raise CheckFailedError(f"{method} {url} answered {error.code}: {said}") from None
    return json.loads(text) if text[:1] in ("{", "[") else text


class Receipts:
    """Receipts of gifts: minted with the cluster's secret, or the demo's; or there are none."""

    def __init__(self, gateway: Gateway, secret: str, now_s: Callable[[], float] = time.time):
        """Take the secret of receipts, or "" to ask the demo endpoint for them."""
        self._gateway = gateway
        self._secret = secret
        self._now_s = now_s

    async def available(self, uid: str) -> bool:
        """Return whether receipts can be had: without, no gift can be given."""
        try:
            await self.of(uid, "check", "rose", 1)
        except CheckFailedError:
            return False
        return True

    async def of(self, uid: str, room: str, gift: str, value: int, count: int = 1) -> str:
        """Return a receipt that `uid` has paid for the gift."""
        if not self._secret:
            body = {"uid": uid, "room": room, "gift": gift, "value": value, "count": count}
            answer = await self._gateway.ask("POST", "/v1/demo/receipt", body=body)
            return str(answer["receipt"])
        exp = int(self._now_s()) + TOKEN_S
        receipt = Receipt(secrets.token_hex(16), uid, room, gift, value, exp, count)
        return mint_receipt(receipt, hs256(self._secret))


class Tokens:
    """Tokens for the check's clients: minted with the cluster's secret, or the demo's."""

    def __init__(self, gateway: Gateway, secret: str, now_s: Callable[[], float] = time.time):
        """Take the cluster's token secret, or "" to ask the demo endpoint for tokens."""
        self._gateway = gateway
        self._secret = secret
        self._now_s = now_s
        self._run = secrets.token_hex(4)

    @property
    def can_mint(self) -> bool:
        """Whether tokens of any kind can be made: expired ones, those of a back end."""
        return bool(self._secret)

    async def viewer(self, name: str, room: str) -> str:
        """Return a token of somebody called `name`."""
        return await self._member(name, room, host=False)

    async def host(self, name: str, room: str) -> str:
        """Return a token of a host of `room`."""
        return await self._member(name, room, host=True)

    def server(self) -> str:
        """Return a back end's token."""
        return self._mint("server", role="server")

    def expired(self) -> str:
        """Return a viewer's token that ended a minute ago."""
        return self._mint("late", exp=int(self._now_s()) - 60)

    async def _member(self, name: str, room: str, *, host: bool) -> str:
        if self._secret:
            return self._mint(name, host=(room,) if host else ())
        body = {"name": name, "room": room, "host": host}
        answer = await self._gateway.ask("POST", "/v1/demo/token", body=body)
        token: str = answer["token"]
        return token

    def _mint(self, name: str, *, exp: int = 0, **claims: Any) -> str:
        exp = exp or int(self._now_s()) + TOKEN_S
        return mint(Claims(f"check-{self._run}-{name}", exp, name=name, **claims), self._secret)
