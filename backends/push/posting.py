"""One POST to a provider, bounded in time and in what is read of the answer."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx
import msgspec
import trio

from backends.push.interface import Outcome, Verdict

MAX_ANSWER_BYTES = 65_536
MAX_RETRY_AFTER_S = 3600.0


class UnreachableError(Exception):
    """Nobody answered, or not in time, or not in HTTP; says why in a word."""


class Answer(NamedTuple):
    """The answer to a POST; `retry_after` is that header, "" where there is none."""

    status: int
    retry_after: str
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; `None` if it is something else."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class Poster:
    """Posts with a client of many connections; each post ends within `timeout_s`."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Post and return the answer; redirects are not followed. Raises `UnreachableError`."""
        # The client's own limits are for each read alone: a peer that trickles would last.
        with trio.move_on_after(self._timeout_s):
            try:
                async with self._client.stream(
                    "POST", url, headers=dict(headers), content=content
                ) as response:
                    body = await _read(response)
                    return Answer(
                        response.status_code, response.headers.get("retry-after", ""), body
                    )
            except httpx.TimeoutException:
                raise UnreachableError("timeout") from None
            except (httpx.HTTPError, OSError) as error:
                raise UnreachableError("unreachable") from error
        raise UnreachableError("timeout")


async def _read(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            break
    return body[:MAX_ANSWER_BYTES]


def later(reason: str, retry_after_s: float = 0.0) -> Outcome:
    """Return the outcome of what is tried again."""
    return Outcome(Verdict.LATER, reason, retry_after_s)


def retry_after_s(value: str, now_s: float) -> float:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or a
    date), at most an hour; 0 where it says nothing."""
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now_s
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
