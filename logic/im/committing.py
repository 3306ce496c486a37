"""What one transaction does for the messages that share it: permit, number, keep.

Few statements for all of them: what a message costs is its rows.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from backends.database import appending, read_positions
from backends.database.appending import Appended, Head, NewMessage
from backends.database.groups import read_group
from backends.database.read_positions import Position
from backends.database.standings import Standings, read_standings
from logic.im import permission
from logic.im.said import bad
from proto.conversations import ConversationKind, kind_of
from proto.errors import ErrorCode, RequestError


class Sending(NamedTuple):
    """A message that wants to be kept; `key` is its `mid_key`."""

    key: bytes
    message: NewMessage
    mention_all: bool = False
    reply_to: int = 0
    of_back_end: bool = False


Outcome = Appended | RequestError
"""Where the message stands, or why it is refused."""


def commit(connection: Connection, sendings: Sequence[Sending], now_ms: int) -> list[Outcome]:
    """Keep those that may be said, and return what became of each.

    One that was kept before gets its first answer, whatever is permitted by now. The sender has
    read what it says.
    """
    # The heads are held first: who leaves a group meanwhile does so before all of these or after.
    heads = appending.read_heads(connection, sorted({each.message.conv for each in sendings}))
    known = appending.find(connection, [each.key for each in sendings])
    refused = _refused(connection, [s for s in sendings if s.key not in known], heads, now_ms)
    kept = [each for each in sendings if id(each) not in refused]
    stand = iter(_place(connection, kept, known, heads, now_ms))
    return [refused[id(each)] if id(each) in refused else next(stand) for each in sendings]


def _refused(
    connection: Connection, sendings: Sequence[Sending], heads: Mapping[str, Head], now_ms: int
) -> dict[int, RequestError]:
    standings = read_standings(connection, [(s.message.conv, s.message.sender) for s in sendings])
    refused = {}
    for each in sendings:
        head = heads.get(each.message.conv)
        error = (
            _back_ends_refusal(connection, each, head)
            if each.of_back_end
            else _refusal(each, standings, head, now_ms)
        )
        if error:
            refused[id(each)] = error
    return refused


def _refusal(
    sending: Sending, standings: Standings, head: Head | None, now_ms: int
) -> RequestError | None:
    conv, sender = sending.message.conv, sending.message.sender
    if error := permission.to_say(conv, sender, standings, now_ms):
        return error
    if sending.mention_all and (error := permission.to_mention_all(conv, sender, standings)):
        return error
    return _bad_reply(sending, head)


def _back_ends_refusal(
    connection: Connection, sending: Sending, head: Head | None
) -> RequestError | None:
    conv = sending.message.conv
    if kind_of(conv) is ConversationKind.GROUP:
        group = read_group(connection, conv)
        if group is None or group.dissolved:
            return RequestError(ErrorCode.NOT_FOUND, "conv: there is no such group", field="conv")
    return _bad_reply(sending, head)


def _bad_reply(sending: Sending, head: Head | None) -> RequestError | None:
    end = head.seq if head else 0
    if sending.reply_to > end:
        return bad("reply_to", f"the conversation ends with {end}, not yet {sending.reply_to}")
    return None


def _place(
    connection: Connection,
    sendings: Sequence[Sending],
    known: Mapping[bytes, Appended],
    heads: dict[str, Head],
    now_ms: int,
) -> list[Appended]:
    missing = sorted({s.message.conv for s in sendings if s.message.conv not in heads})
    if missing:
        heads |= appending.lock_heads(connection, missing)
    keyed = [(each.key, each.message) for each in sendings]
    appended = appending.place(connection, keyed, known, heads, now_ms)
    read_positions.move(connection, _read_by_senders(sendings, appended))
    return appended


def _read_by_senders(sendings: Sequence[Sending], appended: Sequence[Appended]) -> list[Position]:
    # A later message of the same sender is later in its conversation too.
    last = {
        (each.message.sender, stands.conv): Position(
            each.message.sender, stands.conv, stands.seq, stands.count
        )
        for each, stands in zip(sendings, appended, strict=True)
        if not stands.again and not each.of_back_end
    }
    return list(last.values())
