"""Logic as an access node sees it, without a store: numbers, keeps and answers. No I/O."""

import time
from collections import deque
from collections.abc import Callable

from backends.room_log.interface import Appended
from logic.rooms.push_fields import SaidFields, publish_ok, published_fields
from proto import services
from proto.client_requests import parse_publish
from proto.envelopes import Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader, RequestHeader, RoomHeader, encode_header
from proto.priorities import Priority
from proto.server_frames import encode_json, numbered, room_push
from proto.services import FetchAnswer, FetchBody, Method

KEPT = 1000
"""Frames kept of a room, as the room log keeps them."""

Said = Callable[[str, bytes], None]
"""Takes the room and the envelope of a client's message."""


class RoomLog:
    """The normal stream of one room; the others stay empty."""

    def __init__(self, room: str, epoch: str) -> None:
        self.room = room
        self.epoch = epoch
        self.seq = 0
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=KEPT)

    def append(self, fields: bytes, ts_ms: int) -> bytes:
        """Number and keep a chat; returns its envelope."""
        self.seq += 1
        push = room_push("chat", self.room, Priority.NORMAL, fields)
        frame = numbered(push, self.epoch, self.seq)
        self._frames.append((self.seq, frame))
        header = encode_header(RoomHeader(self.epoch, self.seq, ts_ms))
        return encode(Kind.ROOM, Priority.NORMAL, self.room.encode(), header, frame)

    def heads(self) -> HeadsHeader:
        """Return where the streams are."""
        return HeadsHeader(self.epoch, (0, self.seq, 0))

    def fetch(self, asked: FetchBody) -> FetchAnswer:
        """Answer as a room log does."""
        if asked.priority != Priority.NORMAL:
            return FetchAnswer(self.epoch, 0, 1, [])
        oldest = self._frames[0][0] if self._frames else self.seq + 1
        last = asked.last_seq or self.seq
        found = [frame for frame in self._frames if asked.first_seq <= frame[0] <= last]
        return FetchAnswer(self.epoch, self.seq, oldest, found)


class StandIn:
    """Serves what an access node asks; what clients say goes to `said`, if there is one."""

    def __init__(self, epoch: str, said: Said | None) -> None:
        self.epoch = epoch
        self._said = said
        self._logs: dict[str, RoomLog] = {}

    def log(self, room: str) -> RoomLog:
        """Return the log of `room`."""
        found = self._logs.get(room)
        if found is None:
            found = self._logs[room] = RoomLog(room, self.epoch)
        return found

    def chat(self, room: str, text: str) -> bytes:
        """Number a chat of the house; returns its envelope."""
        ts_ms = _now_ms()
        said = SaidFields("feeder", "feeder", "viewer", text, "m", ts_ms, "t")
        return self.log(room).append(encode_json(said), ts_ms)

    async def serve(self, header: RequestHeader, body: bytes) -> bytes:
        """See `mesh.interface.Serve`."""
        log = self.log(header.room)
        match header.method:
            case Method.HEADS:
                return encode_header(log.heads())
            case Method.FETCH:
                return services.encode(log.fetch(services.decode_fetch(body)))
            case Method.PUBLISH:
                return self._publish(log, header, body)
            case Method.LIKES | Method.CENSUS:
                return b""
        raise RequestError(ErrorCode.BAD_FRAME, f"method: the stand-in has no {header.method}")

    def _publish(self, log: RoomLog, header: RequestHeader, body: bytes) -> bytes:
        message, ts_ms = parse_publish(body), _now_ms()
        mid = message.mid or f"{header.source}-{header.request}"
        if self._said is not None:
            fields = published_fields(message, header, mid, ts_ms)
            self._said(log.room, log.append(fields, ts_ms))
        stands = Appended(Priority.NORMAL, log.epoch, log.seq, ts_ms, again=False)
        return publish_ok(log.room, mid, stands)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
