"""`send`: a message is checked, committed with others, and acknowledged by that commit alone."""

import msgspec

from backends.database.appending import Appended, NewMessage, mid_key
from backends.database.group_commit import GroupCommit
from logic.im.committing import Outcome, Sending
from logic.im.events import Committed
from logic.im.said import body_of, check_sayable, speaks_as_the_cluster
from logic.im.service import Asker
from proto.errors import RequestError
from proto.im_frames import MessageKind
from proto.requests.messages import Send
from proto.server_frames import encode_json


class Sent(msgspec.Struct, frozen=True):
    """The `ok` of a message: where it stands, for good. `ts` is Unix milliseconds."""

    conv: str
    seq: int
    id: str
    ts: int
    mid: str


class SendHandler:
    """Serves `send`."""

    def __init__(self, commits: GroupCommit[Sending, Outcome], committed: Committed) -> None:
        self._commits = commits
        self._committed = committed

    async def handle(self, asker: Asker, send: Send) -> bytes:
        """Return the JSON of `Sent`; raises `RequestError` or `StoreUnavailableError`."""
        outcome = await self._commits.do(sending_of(asker, send))
        if isinstance(outcome, RequestError):
            raise outcome
        if not outcome.again:
            self._committed([outcome], asker.trace)
        return encode_json(sent(outcome, send.mid))


def sending_of(asker: Asker, send: Send) -> Sending:
    """Return what is to be committed; raises `RequestError` for what can't be said by anybody."""
    above = speaks_as_the_cluster(send.conv, back_end=asker.is_back_end)
    if not above:
        check_sayable(send.conv, asker.uid)
    message = NewMessage(
        send.conv, asker.uid, asker.name, MessageKind.MESSAGE, send.mid, body_of(send)
    )
    key = mid_key(send.conv, asker.uid, send.mid)
    return Sending(key, message, send.mention_all, send.reply_to, above)


def sent(stands: Appended, mid: str) -> Sent:
    """Return the answer for a message."""
    return Sent(stands.conv, stands.seq, stands.id, stands.ts_ms, mid)
