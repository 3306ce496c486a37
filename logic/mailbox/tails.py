"""Where streams end now: what access nodes ask to find what they have missed."""

from sqlalchemy import Connection

from backends.database.database import Database
from backends.database.hot_groups import read_hot_heads
from backends.database.streams import read_heads
from proto.headers import RequestHeader
from proto.im_services import TailsAnswer, TailsBody, decode_tails
from proto.services import encode


class TailsHandler:
    """Serves `Method.TAILS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, _header: RequestHeader, body: bytes) -> bytes:
        """Return a `TailsAnswer`; raises `StoreUnavailableError`."""
        asked = decode_tails(body)
        return encode(await self._database.read(lambda connection: read_tails(connection, asked)))


def read_tails(connection: Connection, asked: TailsBody) -> TailsAnswer:
    """Return the ends, in the order asked; 0 where there is nothing."""
    heads = read_heads(connection, asked.uids)
    hot = read_hot_heads(connection, asked.hot)
    return TailsAnswer(
        [heads.get(uid, 0) for uid in asked.uids], [hot.get(conv, 0) for conv in asked.hot]
    )
