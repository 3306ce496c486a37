"""Follows how a room is moderated: each change in the order of the room's urgent stream, and all of
it anew where part of that stream is gone for good."""

from collections.abc import Callable

import msgspec
import structlog
import trio

from access.moderation.standing import RoomStanding
from access.stream import Output, Ready, Reset
from access.tasks import Tasks
from access.upstream import Upstream
from proto.errors import RequestError
from proto.moderation import Action, ModerationPush, Standing, decode_push

log = structlog.get_logger()

_MARK = b'"push":"moderation"'
_WITHIN = 96
"""`room_push` puts the kind within so many bytes."""
FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 5.0
SENDING_OUT = frozenset({Action.BAN, Action.KICK})


class Following:
    """Of one room. `removed` is called with each change that sends somebody out."""

    def __init__(
        self,
        room: str,
        standing: RoomStanding,
        upstream: Upstream,
        tasks: Tasks,
        removed: Callable[[ModerationPush], None],
        relearned: Callable[[], None],
    ) -> None:
        self._room = room
        self._standing = standing
        self._upstream = upstream
        self._tasks = tasks
        self._removed = removed
        self._relearned = relearned
        self._meanwhile: list[ModerationPush] | None = None
        """What the stream has brought while the state is asked for anew."""
        self._again = False
        self._closed = False

    def close(self) -> None:
        """Ask for nothing any more."""
        self._closed = True

    def observe(self, outputs: list[Output]) -> None:
        """See what the urgent stream gives out, in its order."""
        for output in outputs:
            if isinstance(output, Reset):
                self._relearn()
            elif isinstance(output, Ready) and output.frame.find(_MARK, 0, _WITHIN) >= 0:
                self._take(output.frame)

    def _take(self, frame: bytes) -> None:
        try:
            push = decode_push(frame)
        except msgspec.MsgspecError as error:
            log.warning("bad_moderation", room=self._room, reason=str(error))
            return
        if self._meanwhile is not None:
            self._meanwhile.append(push)
        self._standing.apply(push)
        if push.action in SENDING_OUT:
            self._removed(push)

    def _relearn(self) -> None:
        if self._meanwhile is None:
            self._meanwhile = []
            self._tasks.start(self._ask)
        else:
            self._again = True  # what is on its way may be older than this reset
            self._meanwhile.clear()  # and what came before it is in the next answer, or undone

    async def _ask(self) -> None:
        pause_s = FIRST_BACKOFF_S
        while not self._closed:
            self._again = False
            try:
                heads = await self._upstream.heads(self._room)
            except RequestError as error:
                log.info("moderation_not_read", room=self._room, error=str(error))
                await trio.sleep(pause_s)
                pause_s = min(2 * pause_s, MAX_BACKOFF_S)
                continue
            if not self._again:
                self._learn(heads.standing)
                return

    def _learn(self, standing: Standing | None) -> None:
        self._standing.replace(standing)
        meanwhile, self._meanwhile = self._meanwhile or [], None
        for push in meanwhile:
            self._standing.apply(push)
        self._relearned()
