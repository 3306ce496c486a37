"""`recall`: a message is taken back; its body goes, and a message of kind `recall` says so."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from backends.database.appending import Appended, NewMessage, append, find, mid_key, read_heads
from backends.database.database import Database
from backends.database.schema import messages
from backends.database.standings import Membership, read_standings
from logic.im.events import Committed
from logic.im.said import check_sayable
from logic.im.service import Asker
from proto.conversations import ConversationKind, kind_of
from proto.errors import ErrorCode, RequestError
from proto.im_frames import MessageKind
from proto.requests.messages import Recall
from proto.server_frames import encode_json


class Recalled(msgspec.Struct, frozen=True):
    """The `ok`: the message of kind `recall`, and which one it takes back."""

    conv: str
    seq: int
    id: str
    ts: int
    target: int


class RecallHandler:
    """Serves `recall`: of one's own messages for `recall_s` seconds, of all messages of a group by
    its owner and admins."""

    def __init__(
        self,
        database: Database,
        committed: Committed,
        recall_s: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._committed = committed
        self._recall_s = recall_s
        self._now_ms = now_ms

    async def handle(self, asker: Asker, recall: Recall) -> bytes:
        """Return the JSON of `Recalled`; raises `RequestError` or `StoreUnavailableError`."""
        check_sayable(recall.conv, asker.uid)
        stands = await self._database.write(lambda c: self._recall(c, asker, recall))
        if not stands.again:
            self._committed([stands], asker.trace)
        return encode_json(Recalled(stands.conv, stands.seq, stands.id, stands.ts_ms, recall.seq))

    def _recall(self, connection: Connection, asker: Asker, recall: Recall) -> Appended:
        read_heads(connection, [recall.conv])  # Held, so that of two one is the first.
        member = _membership(connection, recall.conv, asker.uid)
        message = _message(connection, recall)
        if not message.recalled:
            self._permit(message, asker, member)
            _empty(connection, recall)
        elif not _was_by(connection, recall, asker.uid):
            raise RequestError(ErrorCode.NOT_FOUND, f"message {recall.seq} was taken back before")
        (stands,) = append(connection, [_notice(asker, recall)], self._now_ms())
        return stands

    def _permit(self, message: Row[Any], asker: Asker, member: Membership | None) -> None:
        if member is not None and member.leads:
            return
        if message.sender != asker.uid:
            raise RequestError(ErrorCode.FORBIDDEN, "seq: the message is somebody else's")
        recall_s = self._recall_s()
        if self._now_ms() - message.ts > recall_s * 1000:
            raise RequestError(
                ErrorCode.TOO_LATE, f"a message can be taken back for {int(recall_s)} s"
            )


def _membership(connection: Connection, conv: str, uid: str) -> Membership | None:
    if kind_of(conv) is not ConversationKind.GROUP:
        return None
    member = read_standings(connection, [(conv, uid)]).members.get((conv, uid))
    if member is None or not member.present:
        raise RequestError(ErrorCode.NOT_MEMBER)
    return member


def _message(connection: Connection, recall: Recall) -> Row[Any]:
    m = messages.c
    query = select(messages).where(m.conv == recall.conv, m.seq == recall.seq)
    row = connection.execute(query).first()
    if row is None or row.kind != MessageKind.MESSAGE:
        raise RequestError(
            ErrorCode.NOT_FOUND, f"seq: no message of kind `message` has number {recall.seq}"
        )
    return row


def _empty(connection: Connection, recall: Recall) -> None:
    m = messages.c
    its = update(messages).where(m.conv == recall.conv, m.seq == recall.seq)
    connection.execute(its.values(recalled=True, body=b"{}"))


def _notice(asker: Asker, recall: Recall) -> NewMessage:
    body = encode_json({"target": recall.seq})
    kind, mid = MessageKind.RECALL, _mid(recall)
    return NewMessage(recall.conv, asker.uid, asker.name, kind, mid, body, counted=False)


def _was_by(connection: Connection, recall: Recall, uid: str) -> bool:
    key = mid_key(recall.conv, uid, _mid(recall))
    return key in find(connection, [key])


def _mid(recall: Recall) -> str:
    # No client can have given it to a message: their ids have no colon.
    return f"recall:{recall.seq}"
