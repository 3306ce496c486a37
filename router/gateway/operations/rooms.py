"""How a room is, and what was said in it."""

import msgspec

from mesh.interface import Mesh
from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader, decode_heads
from proto.heat import HeatState
from proto.priorities import Priority
from proto.services import FetchAnswer, FetchBody, Method, decode_fetch_answer, encode
from router.gateway.bodies import HistoryPage
from router.gateway.operation import Call, Operation
from router.gateway.scopes import Scope


class RoomState(msgspec.Struct, frozen=True):
    """A room now: members online, likes so far, whether it is hot, and the last number of each of
    its streams, by priority ("" and 0: nothing was said yet)."""

    room: str
    online: int
    likes: int
    heat: HeatState
    epoch: str
    heads: dict[str, int]


class RoomHistory(msgspec.Struct, frozen=True):
    """Messages as clients got them, oldest first.

    `head` is the stream's last number, `oldest` the oldest that the room's log still has (head + 1
    where it has none). `next` is what to name as `after` for what follows; `null` where nothing
    does.
    """

    room: str
    priority: str
    epoch: str
    head: int
    oldest: int
    messages: list[msgspec.Raw]
    next: int | None


class RoomOperations:
    """Asks logic where the room is at home."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def operations(self) -> list[Operation]:
        """Return what may be read of a room."""
        return [
            Operation(
                name="getRoom",
                method="GET",
                path="/v1/rooms/{room}",
                summary="Tell how a room is: online, likes, heat, and where its streams end.",
                handle=self.state,
                gives=RoomState,
                needs=Scope.READ_ROOM,
            ),
            Operation(
                name="getRoomHistory",
                method="GET",
                path="/v1/rooms/{room}/messages",
                summary="Read what was said in a room, by priority, as long as its log has it.",
                handle=self.history,
                takes=HistoryPage,
                gives=RoomHistory,
                needs=Scope.READ_HISTORY,
                errors=(ErrorCode.BAD_CURSOR,),
            ),
        ]

    async def state(self, call: Call, _: None) -> RoomState:
        """Return how the room is."""
        room = call.path["room"]
        raw = await self._mesh.request(
            Method.HEADS, Priority.NORMAL, room=room, trace=call.trace, repeatable=True
        )
        return _state(room, decode_heads(raw))

    async def history(self, call: Call, page: HistoryPage) -> RoomHistory:
        """Return a page of what was said in the room."""
        if page.after is not None and not page.epoch:
            message = "epoch: needed with `after`, whose numbers are the epoch's"
            raise RequestError(ErrorCode.BAD_FRAME, message, field="epoch")
        room, priority = call.path["room"], Priority.of(page.priority)
        raw = await self._mesh.request(
            Method.FETCH,
            Priority.NORMAL,
            encode(_fetch(page, priority)),
            room=room,
            trace=call.trace,
            repeatable=True,
        )
        return _history(room, page, decode_fetch_answer(raw))


def _state(room: str, heads: HeadsHeader) -> RoomState:
    return RoomState(
        room=room,
        online=heads.online,
        likes=heads.likes,
        heat=heads.rule.state if heads.rule else HeatState.NORMAL,
        epoch=heads.epoch,
        heads={priority.label: heads.seqs[priority] for priority in Priority},
    )


def _fetch(page: HistoryPage, priority: Priority) -> FetchBody:
    if page.after is None:
        return FetchBody(priority, "", 0, 0, newest=page.limit)
    return FetchBody(priority, page.epoch, page.after + 1, page.after + page.limit)


def _history(room: str, page: HistoryPage, answer: FetchAnswer) -> RoomHistory:
    if page.after is not None and page.epoch != answer.epoch:
        message = f"epoch: the room's is {answer.epoch}; read anew without `after`"
        raise RequestError(ErrorCode.BAD_CURSOR, message, field="epoch")
    last = answer.frames[-1][0] if answer.frames else (page.after or 0)
    return RoomHistory(
        room=room,
        priority=page.priority,
        epoch=answer.epoch,
        head=answer.head_seq,
        oldest=answer.oldest_seq,
        messages=[msgspec.Raw(frame) for _, frame in answer.frames],
        next=max(last, answer.oldest_seq - 1) if last < answer.head_seq else None,
    )
