"""How a connection is come by: a token, the endpoint that the gateway names, and dialling it."""

from collections.abc import Sequence

import trio
import trio_websocket as tws

from relaymesh_client import catalogue, lines
from relaymesh_client.backoff import Endpoint, EndpointChoice, Random, retry_after_s
from relaymesh_client.errors import Closed, Refused
from relaymesh_client.gateway import EndpointSource
from relaymesh_client.lines import Line, Way
from relaymesh_client.websocket import TokenSource, fresh_token


class Connecting:
    """Gets tokens and endpoints, chooses among them, and opens connections."""

    def __init__(self, source: EndpointSource, token: TokenSource, random: Random) -> None:
        self.last_failure = ""
        """Why the last attempt to connect failed, for a person."""
        self._room = ""
        """The room that the gateway is asked for."""
        self._source = source
        self._token = token
        self._choice = EndpointChoice(random)
        self._refused_token = ""

    def for_room(self, room: str) -> None:
        """Ask the gateway for the way to `room`, if not for that to another one already."""
        self._room = self._room or room

    async def open(self, nursery: trio.Nursery) -> Way | Closed | None:
        """Open a connection, held in `nursery`, to where the gateway sends; returns why there
        should be no other, or `None`, if that fails."""
        token = ""
        try:
            token = await fresh_token(self._token)
            if token == self._refused_token:
                return Closed("the token has expired", catalogue.TOKEN_EXPIRED)
            endpoint = self._choice.choose(_some(await self._source(self._room, token)))
        except Refused as problem:
            if problem.code == "token_expired" and self.token_expired(token):
                return None
            return Closed(f"the gateway refused: {problem}")
        except OSError as error:
            self.last_failure = str(error)
            return None
        # Where every node asked for it; another one would have been chosen.
        await trio.sleep(self._choice.rest_s(endpoint.url, trio.current_time()))
        line = await self.dial(nursery, endpoint.url)
        return Way(line, token) if isinstance(line, Line) else line

    async def dial(self, nursery: trio.Nursery, url: str) -> Line | Closed | None:
        """Open a connection to `url`; returns why there should be no other, or `None`, if it can't
        be opened."""
        try:
            return await lines.dial(nursery, url)
        except tws.ConnectionRejected as error:
            self.last_failure = f"{url} answered {error.status_code}"
            if error.status_code in (400, 401, 403, 404):
                return Closed(self.last_failure)
            rest_s = retry_after_s(error.headers)
            self._choice.asked_to_rest(url, rest_s, trio.current_time())
        except tws.HandshakeError as error:
            self.last_failure = f"{url}: {error.__cause__ or type(error).__name__}"
        self._choice.failed(url)
        return None

    def failed(self, url: str) -> None:
        """Note that a connection to `url` has ended: others come first."""
        self._choice.failed(url)

    def token_expired(self, token: str) -> bool:
        """Note that `token` is not to be shown again; says whether another one can be had."""
        if not callable(self._token):
            return False
        self._refused_token = token
        return True


def _some(endpoints: Sequence[Endpoint]) -> Sequence[Endpoint]:
    if not endpoints:
        raise OSError("the gateway knows no access node at the moment")
    return endpoints
