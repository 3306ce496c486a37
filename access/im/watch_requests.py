"""A client's `watch`: whom it may watch is asked of logic, at once and again while it lasts."""

from collections.abc import Callable, Sequence

import msgspec
import structlog
import trio

from access.im.counters import ImCounters
from access.im.watching import Watching
from access.replies import Replies
from access.session import Session
from mesh.interface import Mesh
from proto.errors import ErrorCode, RequestError
from proto.im_services import WatchableBody, Watcher, decode_watchable_answer
from proto.priorities import Priority
from proto.requests.devices import Watch
from proto.server_frames import encode_json
from proto.services import Method, encode

log = structlog.get_logger()

RECHECK_S = 50.0
"""Age at which a permission is asked for anew: with a second until the next look, and an answer
that is slow, nobody is told of a friend that was for more than a minute."""
LOOK_S = 1.0
MAX_WATCHERS = 20
"""Connections in one question: at most 4,000 users with 200 each."""


class WatchOk(msgspec.Struct, frozen=True):
    """The `ok` of `watch`: those of whom the client is told nothing, in the order asked."""

    refused: list[str]


class WatchRequests:
    """Lets connections watch friends, and themselves, for as long as they are."""

    def __init__(
        self,
        watching: Watching,
        mesh: Mesh,
        replies: Replies,
        counters: ImCounters,
        new_trace: Callable[[], str],
    ) -> None:
        self._watching = watching
        self._mesh = mesh
        self._replies = replies
        self._counters = counters
        self._new_trace = new_trace
        self._checked: dict[Session, float] = {}
        """Those that watch anybody, the longest unchecked first, and when that was."""

    def request(self, session: Session, request: Watch) -> None:
        """Have the session's connection told of those of `request` that it may watch; answers
        later. Raises `overloaded`."""
        self._replies.later(session, request.id, lambda: self._serve(session, request))
        session.instant_messages().newest_watch = request

    def close(self, session: Session) -> None:
        """Let a session that is gone watch nobody."""
        self._checked.pop(session, None)
        self._watching.close(session)

    async def run(self) -> None:
        """Ask anew for what was permitted, each connection's in its time, for ever."""
        while True:
            await trio.sleep(LOOK_S)
            while due := self._due():
                if not await self._recheck(due):
                    break

    async def _serve(self, session: Session, request: Watch) -> None:
        asked = frozenset(request.uids)
        (permitted,) = await self._ask([_watcher(session, asked)]) if asked else [asked]
        state = session.instant_messages()
        # An answer that a later `watch` has overtaken changes nothing.
        if not session.gone and state.newest_watch is request:
            self._watching.watch(session, permitted)
            self._note(session)
        refused = [uid for uid in dict.fromkeys(request.uids) if uid not in permitted]
        self._counters.watches_refused += len(refused)
        self._replies.ok(session, request.id, encode_json(WatchOk(refused)))

    def _note(self, session: Session) -> None:
        self._checked.pop(session, None)
        if session.instant_messages().watched:
            self._checked[session] = trio.current_time()

    def _due(self) -> list[Session]:
        before = trio.current_time() - RECHECK_S
        due: list[Session] = []
        for session, checked in self._checked.items():
            if checked > before or len(due) == MAX_WATCHERS:
                break
            due.append(session)
        return due

    async def _recheck(self, sessions: Sequence[Session]) -> bool:
        """Ask for the sessions together; false where there was no answer: what was permitted
        stands until there is one."""
        asked = [session.instant_messages().watched for session in sessions]
        try:
            answer = await self._ask(list(map(_watcher, sessions, asked)))
        except RequestError as error:
            log.info("watchers_not_checked", watchers=len(sessions), error=str(error))
            return False
        for session, before, permitted in zip(sessions, asked, answer, strict=True):
            # Another set was permitted after this question.
            if session in self._checked and session.instant_messages().watched is before:
                self._watching.end(session, before - permitted)
                self._note(session)
        return True

    async def _ask(self, watchers: list[Watcher]) -> list[frozenset[str]]:
        answer = await self._mesh.request(
            Method.WATCHABLE,
            Priority.NORMAL,
            encode(WatchableBody(watchers)),
            trace=self._new_trace(),
            repeatable=True,
        )
        try:
            found = decode_watchable_answer(answer).uids
        except msgspec.MsgspecError:
            found = []
        if len(found) != len(watchers):
            raise RequestError(ErrorCode.UNAVAILABLE, "an answer of the cluster could not be read")
        return list(map(frozenset, found))


def _watcher(session: Session, uids: frozenset[str]) -> Watcher:
    return Watcher(session.who().sub, list(uids))
