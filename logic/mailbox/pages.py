"""A page of a stream: `SYNC` of the access nodes, and the client's own `sync`."""

from collections.abc import Sequence

from sqlalchemy import Connection

from backends.database.database import Database
from backends.database.epoch import read_epoch
from backends.database.streams import (
    Numbered,
    read_hot,
    read_hot_stand,
    read_mailbox,
    read_mailbox_stand,
)
from logic.im.service import Asker
from logic.mailbox.counters import MailboxCounters
from logic.mailbox.frames import frame_of
from proto.conversations import hot_group
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.im_frames import in_stream
from proto.im_services import SyncAnswer, SyncBody, decode_sync
from proto.requests.messages import MAX_SYNC_PAGE, Sync
from proto.services import encode

MAX_PAGE_BYTES = 512 * 1024
"""Of frames: half of what an envelope may be."""


class SyncHandler:
    """Serves `Method.SYNC` and the client's `sync`."""

    def __init__(self, database: Database, counters: MailboxCounters) -> None:
        self._database = database
        self._counters = counters

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return a `SyncAnswer`; raises `RequestError` or `StoreUnavailableError`."""
        return encode(await self._page(header.uid, decode_sync(body)))

    async def sync(self, asker: Asker, request: Sync) -> bytes:
        """Return the JSON of a page, its frames as they would have been pushed; raises the same."""
        asked = SyncBody(request.stream, request.since, request.limit)
        return page_json(request.stream, await self._page(asker.uid, asked))

    async def _page(self, uid: str, asked: SyncBody) -> SyncAnswer:
        asked = SyncBody(asked.stream, asked.since, max(1, min(asked.limit, MAX_SYNC_PAGE)))
        answer = await self._database.read(lambda connection: read_page(connection, uid, asked))
        self._counters.synced += len(answer.frames)
        return answer


def read_page(connection: Connection, uid: str, asked: SyncBody) -> SyncAnswer:
    """Return the page; raises `RequestError` `bad_cursor` beyond the end, `not_member` where the
    stream is none of the user's."""
    conv = hot_group(asked.stream)
    epoch = read_epoch(connection)
    if conv is None:
        head, oldest = read_mailbox_stand(connection, uid)
        _check(asked.since, head)
        return answer(epoch, head, oldest, read_mailbox(connection, uid, asked.since, asked.limit))
    stand = read_hot_stand(connection, conv, uid)
    if stand is None:
        raise RequestError(ErrorCode.NOT_MEMBER)
    _check(asked.since, stand.head)
    first, last = max(asked.since + 1, stand.oldest), stand.head
    return answer(epoch, last, stand.oldest, read_hot(connection, conv, first, last, asked.limit))


def answer(epoch: str, head: int, oldest: int, found: Sequence[Numbered]) -> SyncAnswer:
    """Return the page with as many frames as fit into `MAX_PAGE_BYTES`, one in any case.

    A page that is cut ends where it is cut, `head` with it: what a page leaves out is no gap.
    """
    frames: list[tuple[int, bytes]] = []
    used = 0
    for n, message in found:
        frame = frame_of(message)
        used += len(frame)
        if frames and used > MAX_PAGE_BYTES:
            return SyncAnswer(epoch, frames[-1][0], oldest, frames)
        frames.append((n, frame))
    return SyncAnswer(epoch, head, oldest, frames)


def page_json(stream: str, page: SyncAnswer) -> bytes:
    """Return the JSON object that a client gets."""
    frames = b",".join(in_stream(stream, n, frame) for n, frame in page.frames)
    return b'{"stream":"%b","epoch":"%b","head":%d,"oldest":%d,"frames":[%b]}' % (
        stream.encode(),
        page.epoch.encode(),
        page.head,
        page.oldest,
        frames,
    )


def _check(since: int, head: int) -> None:
    if since > head:
        raise RequestError(
            ErrorCode.BAD_CURSOR, f"since: the stream ends with {head}, not yet {since}"
        )
