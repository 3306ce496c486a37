"""`typing`: told to the others who are there, never kept."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from backends.database.database import Database
from backends.database.standings import members_of, read_standings
from logic.im import permission
from logic.im.said import check_sayable
from logic.im.service import Asker
from logic.signals import Signals
from proto.conversations import ConversationKind, kind_of, peer
from proto.im_frames import typing_push
from proto.priorities import Priority
from proto.requests.messages import Typing


class TypingHandler:
    """Serves `typing`: whoever may say something may be seen typing, in chats and in groups of at
    most `typing_members`."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        typing_members: Callable[[], int],
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._signals = signals
        self._typing_members = typing_members
        self._now_ms = now_ms

    async def handle(self, asker: Asker, typing: Typing) -> bytes:
        """Return an empty `ok`; raises `RequestError` or `StoreUnavailableError`."""
        check_sayable(typing.conv, asker.uid)
        others = await self._database.read(lambda c: self._others(c, typing.conv, asker.uid))
        if others:
            frame = typing_push(typing.conv, asker.uid, typing.on)
            self._signals.send(Priority.BULK, others, frame, asker.trace)
        return b"{}"

    def _others(self, connection: Connection, conv: str, uid: str) -> Sequence[str]:
        standings = read_standings(connection, [(conv, uid)])
        if error := permission.to_say(conv, uid, standings, self._now_ms()):
            raise error
        if kind_of(conv) is ConversationKind.DIRECT:
            return (peer(conv, uid),)
        if standings.members[conv, uid].member_count > self._typing_members():
            return ()
        return [each for each in members_of(connection, [conv])[conv] if each != uid]
