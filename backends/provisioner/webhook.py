"""A server that starts and stops access nodes, asked with signed requests (docs/provisioner.md)."""

from collections.abc import Callable
from typing import Annotated

import msgspec
import structlog
import trio

from backends.http.client import Answer, HttpClient, UnreachableError
from backends.http.signature import SIGNATURE, TIMESTAMP, sign
from backends.provisioner.interface import ProvisionerError
from backends.provisioner.names import pool_of
from backends.provisioner.settings import ProvisionerSettings

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 2.0

LONGEST_WORDS = 200
"""Characters of a server's own message that an error repeats."""

log = structlog.get_logger()


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT: for which room, and how many nodes there should be."""

    room: str
    nodes: Annotated[int, msgspec.Meta(ge=1)]


class Given(msgspec.Struct, frozen=True):
    """The body of the answer to a PUT: how many nodes there are or will be."""

    nodes: int


class WebhookPools:
    """Implements `Provisioner`."""

    def __init__(
        self, settings: ProvisionerSettings, http: HttpClient, now_s: Callable[[], float]
    ) -> None:
        self._url = settings.url.rstrip("/")
        self._settings = settings
        self._http = http
        self._now_s = now_s

    def reconfigured(self, settings: ProvisionerSettings) -> None:
        """Sign with another secret, and give up after another time, from now on."""
        self._settings = settings

    async def provide(self, room: str, pool: str, nodes: int) -> str:
        """See `Provisioner`."""
        name = pool or pool_of(room)
        body = msgspec.json.encode(Wanted(room, nodes))
        answer = await self._asked("PUT", name, body)
        _require_enough(name, nodes, answer)
        return name

    async def release(self, _room: str, pool: str) -> None:
        """See `Provisioner`."""
        await self._asked("DELETE", pool, b"")

    async def _asked(self, method: str, pool: str, body: bytes) -> Answer:
        """Ask until there is an answer that counts; raises `ProvisionerError` when time is up."""
        delay_s, why = FIRST_BACKOFF_S, "no answer"
        with trio.move_on_after(self._settings.give_up_s):
            while True:
                try:
                    answer = await self._ask(method, pool, body)
                except UnreachableError as error:
                    why = str(error)
                else:
                    if not _is_for_later(answer):
                        return _accepted(method, pool, answer)
                    why = _words(answer)
                log.debug("provisioner_asked_again", method=method, pool=pool, reason=why)
                await trio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_BACKOFF_S)
        raise ProvisionerError(f"{method} of pool {pool}: {why} for {self._settings.give_up_s:g} s")

    async def _ask(self, method: str, pool: str, body: bytes) -> Answer:
        timestamp = str(int(self._now_s()))
        headers = {
            "content-type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._settings.secret, timestamp, signed_content(method, pool, body)),
        }
        return await self._http.request(method, f"{self._url}/pools/{pool}", headers, body)


def signed_content(method: str, pool: str, body: bytes) -> bytes:
    """Return what is signed: a request can't be played again for another pool, or to release."""
    return f"{method} {pool}\n".encode() + body


def _accepted(method: str, pool: str, answer: Answer) -> Answer:
    gone = method == "DELETE" and answer.status in (404, 410)
    if 200 <= answer.status < 300 or gone:
        return answer
    raise ProvisionerError(f"{method} of pool {pool}: {_words(answer)}")


def _require_enough(pool: str, nodes: int, answer: Answer) -> None:
    try:
        given = msgspec.json.decode(answer.body, type=Given)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = f'PUT of pool {pool}: expected {{"nodes": N}} in the answer'
        raise ProvisionerError(message) from None
    if given.nodes < nodes:
        raise ProvisionerError(f"PUT of pool {pool}: gives {given.nodes} of {nodes} nodes")


def _is_for_later(answer: Answer) -> bool:
    return answer.status in (408, 425, 429) or answer.status >= 500


def _words(answer: Answer) -> str:
    """Return what an answer says, in a line: its status, and its message where it has one."""
    said = answer.json()
    error = said.get("error") if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    words = f": {' '.join(str(message).split())[:LONGEST_WORDS]}" if message else ""
    return f"answered {answer.status}{words}"
