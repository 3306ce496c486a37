"""One request to a server of somebody else, bounded in time and in what is read of the answer."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import msgspec
import trio

MAX_ANSWER_BYTES = 65_536


class UnreachableError(Exception):
    """Nobody answered, or not in time, or not in HTTP; says why in a word."""


class Answer(NamedTuple):
    """An answer; `retry_after` is that header, "" where there is none."""

    status: int
    retry_after: str
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; `None` if it is something else."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class HttpClient:
    """Asks over a client of many connections; each request ends within `timeout_s`."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """As `request`, with POST."""
        return await self.request("POST", url, headers, content)

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        """Ask and return the answer; redirects are not followed. Raises `UnreachableError`."""
        # The client's own limits are for each read alone: a peer that trickles would last.
        with trio.move_on_after(self._timeout_s):
            try:
                async with self._client.stream(
                    method, url, headers=dict(headers), content=content
                ) as response:
                    body = await _read(response)
                    return Answer(
                        response.status_code, response.headers.get("retry-after", ""), body
                    )
            except httpx.TimeoutException:
                raise UnreachableError("timeout") from None
            except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
                # The last is of a host's name that can be none: looking it up raises that.
                raise UnreachableError("unreachable") from error
        raise UnreachableError("timeout")


async def _read(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            break
    return body[:MAX_ANSWER_BYTES]
