"""Where the streams of a room start for a member: where it left off, some messages back, or now."""

from collections.abc import Mapping, Sequence

import structlog

from access.room_stream import RoomStream
from access.upstream import Upstream
from proto.client_requests import Position
from proto.errors import RequestError
from proto.priorities import LABELS, Priority
from proto.services import FetchBody

log = structlog.get_logger()

Starts = tuple[Position | None, Position | None, Position | None]
"""By priority; `None` is the stream's live end."""


async def find_starts(
    streams: Sequence[RoomStream], upstream: Upstream, since: Mapping[str, Position], history: int
) -> Starts:
    """Return where each stream is to start for a member that was at `since`, by label, or is new
    and wants up to `history` older messages."""
    found: list[Position | None] = []
    for stream in streams:
        start = since.get(stream.priority.label)
        if start is None and history and not since and stream.priority is not Priority.BULK:
            start = await _history_start(stream, upstream, history)
        found.append(start)
    return found[0], found[1], found[2]


def positions(streams: Sequence[RoomStream], starts: Starts) -> dict[str, Position]:
    """Return where a member that enters now starts, by priority."""
    return {
        LABELS[stream.priority]: start or Position(stream.epoch, stream.seq)
        for stream, start in zip(streams, starts, strict=True)
    }


async def _history_start(stream: RoomStream, upstream: Upstream, history: int) -> Position:
    epoch, head = stream.epoch, stream.seq
    wanted = max(head - history, 0)
    have = min(stream.ring.oldest_seq - 1, head)
    if have <= wanted or not epoch:
        return Position(epoch, wanted)
    question = FetchBody(stream.priority, epoch, wanted + 1, head)
    try:
        answer = await upstream.fetch(stream.room, question)
    except RequestError as error:
        # History is a courtesy: with the log away one gets what this node has.
        log.info("history_cut", room=stream.room, error=str(error))
        return Position(epoch, have)
    if answer.epoch != epoch:
        return Position(epoch, have)
    stream.ring.prepend(answer.frames)
    return Position(epoch, min(max(wanted, answer.oldest_seq - 1), head))
