"""Who lives here, for the other regions."""

from logic.living import Living
from proto.headers import RequestHeader
from proto.services import LivesAnswer, encode


class LivesHandler:
    """Serves `Method.LIVES`."""

    def __init__(self, living: Living) -> None:
        self._living = living

    async def handle(self, _header: RequestHeader, _body: bytes) -> bytes:
        """Return a `LivesAnswer` about this region's access nodes."""
        return encode(LivesAnswer(sorted(self._living.access), self._living.settled))
