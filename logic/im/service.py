"""Each request of a client to the handler of its kind."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from proto.client_requests import IM_REQUESTS, parse_im
from proto.headers import RequestHeader

MAX_NAME_CHARACTERS = 256
"""As the tables have them. A token's name may be longer; what is cut is not shown."""


class Asker(NamedTuple):
    """Who asks, as the access node has verified it: `role` is `viewer` or `server`, `device` the
    one that the connection named in `hello` ("": none)."""

    uid: str
    name: str
    role: str
    device: str
    trace: str

    @property
    def is_back_end(self) -> bool:
        """Whether a back end asks: it is in no conversation, and above all who are."""
        return self.role == "server"


Handle = Callable[[Asker, Any], Awaitable[bytes]]
"""Takes who asks and the request, and returns the JSON of the `ok`; raises `RequestError`."""


class ImHandler:
    """Serves `Method.IM`. `handlers` has one for each of `client_requests.IM_REQUESTS`."""

    def __init__(self, handlers: Mapping[type, Handle]) -> None:
        missing = [each.__name__ for each in IM_REQUESTS if each not in handlers]
        assert not missing, f"nobody handles {missing}"
        self._handlers = dict(handlers)

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return the JSON of the `ok`; raises `RequestError` or `StoreUnavailableError`."""
        request = parse_im(body)
        # The key of these requests is no room: the access node puts the device there.
        asker = Asker(header.uid, _kept(header.name), header.role, header.room, header.trace)
        return await self._handlers[type(request)](asker, request)


def _kept(name: str) -> str:
    # A NUL is the one character that PostgreSQL does not keep in a text.
    return name[:MAX_NAME_CHARACTERS].replace("\0", "")
