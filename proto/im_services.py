"""What access nodes ask logic about instant messages: the bodies of `proto.services.Method`."""

import msgspec


class OpenBody(msgspec.Struct, frozen=True, array_like=True):
    """The `device` of the header's uid connects. It says how far it has the mailbox of `epoch`
    (`since`, -1: use the cluster's own cursor) and each hot group."""

    device: str
    epoch: str
    since: int
    hot: dict[str, int]


class HotStart(msgspec.Struct, frozen=True, array_like=True):
    """A hot group of the user: its last number, and after which one the device goes on. Of one that
    the user has `left` nothing behind its `head` is for it."""

    conv: str
    head: int
    start: int
    left: bool = False


class OpenAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Where the mailbox ends (`head`) and after which number the device goes on (`start`).

    `standing` is `level`: what lies between is pushed; `behind`: it is too much for that, `start`
    is `head`, and the device pages through the rest with `sync`; or `reset`: the position was
    never given, or is of another epoch, so `start` is `head` and the device begins from the
    session list.
    """

    epoch: str
    head: int
    start: int
    standing: str
    hot: list[HotStart]


class SyncBody(msgspec.Struct, frozen=True, array_like=True):
    """Ask for at most `limit` messages of a `stream` of the header's uid, after number `since`."""

    stream: str
    since: int
    limit: int


class SyncAnswer(msgspec.Struct, frozen=True, array_like=True):
    """A page of a stream: numbers, ascending, with finished frames that lack only their number
    (`im_frames.in_stream`). `head` is the stream's last number, `oldest` the oldest it still has.

    In a mailbox each number from `oldest` on is there. A hot stream has the numbers of the group's
    messages, and has gaps where the group was not hot: `frames` that end before `limit` and `head`
    are followed by none below the head.
    """

    epoch: str
    head: int
    oldest: int
    frames: list[tuple[int, bytes]]


class TailsBody(msgspec.Struct, frozen=True, array_like=True):
    """Users and hot groups of which the ends are asked."""

    uids: list[str]
    hot: list[str]


class TailsAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The last numbers, in the order asked; 0 where there is nothing yet. Of a group that is not
    hot, the number at which it ceased to be (its `cool` message)."""

    mailboxes: list[int]
    hot: list[int]


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A device has acknowledged `stream` up to `n`; with `stream` empty it merely lives. `gone`:
    its connection has ended."""

    uid: str
    device: str
    stream: str = ""
    n: int = 0
    gone: bool = False


class CursorsBody(msgspec.Struct, frozen=True, array_like=True):
    """What the devices of a node have acknowledged since the last report."""

    cursors: list[Cursor]


class PresenceBody(msgspec.Struct, frozen=True, array_like=True):
    """Users whose presence is asked."""

    uids: list[str]


class DevicePresence(msgspec.Struct, frozen=True, array_like=True):
    """A device of a user, and when it was last heard (Unix milliseconds, 0: never)."""

    device: str
    online: bool
    seen_ms: int


class UserPresence(msgspec.Struct, frozen=True, array_like=True):
    """`state` is `online`, `offline`, or `unknown` while nothing can be told."""

    uid: str
    state: str
    devices: list[DevicePresence]


class PresenceAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The presence of each user asked for, in that order."""

    users: list[UserPresence]


class Watcher(msgspec.Struct, frozen=True, array_like=True):
    """A user who would be told the presence of `uids`."""

    uid: str
    uids: list[str]


class WatchableBody(msgspec.Struct, frozen=True, array_like=True):
    """Whose presence is each of these users to be told?"""

    watchers: list[Watcher]


class WatchableAnswer(msgspec.Struct, frozen=True, array_like=True):
    """Those of the uids that each watcher may be told of, in the order asked: its friends, while
    neither has blocked the other, and itself."""

    uids: list[list[str]]


decode_open = msgspec.msgpack.Decoder(OpenBody).decode
decode_open_answer = msgspec.msgpack.Decoder(OpenAnswer).decode
decode_sync = msgspec.msgpack.Decoder(SyncBody).decode
decode_sync_answer = msgspec.msgpack.Decoder(SyncAnswer).decode
decode_tails = msgspec.msgpack.Decoder(TailsBody).decode
decode_tails_answer = msgspec.msgpack.Decoder(TailsAnswer).decode
decode_cursors = msgspec.msgpack.Decoder(CursorsBody).decode
decode_presence = msgspec.msgpack.Decoder(PresenceBody).decode
decode_presence_answer = msgspec.msgpack.Decoder(PresenceAnswer).decode
decode_watchable = msgspec.msgpack.Decoder(WatchableBody).decode
decode_watchable_answer = msgspec.msgpack.Decoder(WatchableAnswer).decode
