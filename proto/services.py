"""What nodes ask logic: the methods of a REQUEST, with the types of their bodies.

Bodies are MessagePack (those about instant messages are in `proto.im_services`, those about
accounts and revocations in `proto.auth_services`), except where they
pass through unread: `publish` and `im` take the client's own JSON frame and answer with the JSON of
its `ok`.
"""

from enum import StrEnum

import msgspec

SERVICE_LOGIC = b"logic"
"""The key of a REQUEST about rooms and pushes, which any logic instance may answer."""

SERVICE_IM = b"im"
"""The key of a REQUEST about instant messages: any logic instance may answer it, in places of its
own, since many of them share a transaction that each of them waits for."""

SERVICE_AUTH = b"auth"
"""The key of a REQUEST about an account: in places of its own, since a password takes long to check
and must hold nothing else up."""


class Method(StrEnum):
    """The `method` of a request header."""

    PUBLISH = "publish"
    """A client's chat, gift or speech: body and answer are JSON. Safe to repeat with a `mid`."""
    PUSH = "push"
    """A back end's message to a room, to users or to everybody (`PushBody`): answer is JSON."""
    MODERATE = "moderate"
    """A moderator's request: body is the JSON of `proto.moderation.Moderate`, answer that of a
    `ModerateOk`. Safe to repeat with a `mid`."""
    MODERATION = "moderation"
    """`proto.moderation.StateBody` -> JSON of a `ModerationState`: who is muted, banned, and so on,
    in a room. Safe to repeat."""
    HEADS = "heads"
    """The room's heads, and who may not enter; no body, answer `proto.headers.HeadsHeader`. Safe to
    repeat."""
    FETCH = "fetch"
    """`FetchBody` -> `FetchAnswer`: part of a room log. Safe to repeat."""
    LIKES = "likes"
    """`LikesBody`, answered when the bus keeps it: counts are cumulative, so safe to repeat."""
    CENSUS = "census"
    """`CensusBody`: how many members a node has in its rooms. Safe to repeat."""
    IM = "im"
    """A client's request about messages, contacts, groups or devices (`client_requests.ImRequest`):
    body and answer are JSON. Each of them may be repeated."""
    OPEN = "open"
    """`OpenBody` -> `OpenAnswer`: a device begins to take instant messages. Safe to repeat."""
    SYNC = "sync"
    """`SyncBody` -> `SyncAnswer`: a page of a stream. Safe to repeat."""
    TAILS = "tails"
    """`TailsBody` -> `TailsAnswer`: where mailboxes and hot groups end now. Safe to repeat."""
    CURSORS = "cursors"
    """`CursorsBody`: how far devices have taken their streams, and that they live. Safe to
    repeat."""
    PRESENCE = "presence"
    """`PresenceBody` -> `PresenceAnswer`: who is online. Safe to repeat."""
    LIVES = "lives"
    """No body -> `LivesAnswer`: the access nodes that live in the region that is asked. Safe to
    repeat."""
    LEASES = "leases"
    """No body -> the JSON of `backends.leases.interface.RegionNodes`: all nodes of the region that
    is asked, for the status of gateways elsewhere. Safe to repeat."""
    ROUTES = "routes"
    """`RoutesBody`: connections elsewhere of users who are at home here. Safe to repeat."""
    WATCHABLE = "watchable"
    """`WatchableBody` -> `WatchableAnswer`: whose presence users may be told. Safe to repeat."""
    AUTH = "auth"
    """`AuthBody`: accounts and logins; the answer is JSON. Where it was done and the answer is
    lost, a repeated registration conflicts, so it is not repeated."""
    REVOKE = "revoke"
    """`RevokeBody`: end what a user, or a login, was given; the answer is JSON. Safe to repeat."""
    REVOCATIONS = "revocations"
    """`RevocationsBody` -> `Changes`: what was revoked, for other regions. Safe to repeat."""

    @property
    def idempotent(self) -> bool:
        """Whether it may be repeated elsewhere without looking at the body."""
        return self not in (Method.PUBLISH, Method.PUSH, Method.MODERATE, Method.AUTH)

    @property
    def service(self) -> bytes:
        """The key of its requests."""
        if self is Method.AUTH:
            return SERVICE_AUTH
        return SERVICE_IM if self in _OF_IM else SERVICE_LOGIC


_OF_IM = frozenset(
    (
        Method.IM,
        Method.OPEN,
        Method.SYNC,
        Method.TAILS,
        Method.CURSORS,
        Method.PRESENCE,
        Method.WATCHABLE,
    )
)


class FetchBody(msgspec.Struct, frozen=True, array_like=True):
    """Ask for `first_seq`..`last_seq` (both included) of the room named in the request header.

    `last_seq` 0 means up to the head. `newest` > 0 asks for the newest that many instead, and
    epoch and sequences are ignored.
    """

    priority: int
    epoch: str
    first_seq: int
    last_seq: int
    newest: int = 0


class FetchAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The finished frames with their sequence numbers, ascending, and what the log is now.

    `epoch` is the log's epoch (it differs from the asked one after a loss of the log), `head_seq`
    its last number, `oldest_seq` the oldest number it still has (head + 1 when it is empty).
    `frames` may end before what was asked for: ask again from there. An asked number below
    `oldest_seq` is gone.
    """

    epoch: str
    head_seq: int
    oldest_seq: int
    frames: list[tuple[int, bytes]]


class LikeCount(msgspec.Struct, frozen=True, array_like=True):
    """All likes that `counter` has seen in `room` so far: cumulative, so that doubled, late or
    reordered reports change nothing (a grow-only counter: Shapiro et al., CRDTs, 2011).

    `counter` is new for each node incarnation and each time the node opens the room.
    """

    room: str
    counter: str
    count: int


class LikesBody(msgspec.Struct, frozen=True, array_like=True):
    """What an access node has counted since its last flush, a room each."""

    counts: list[LikeCount]


class RoomCensus(msgspec.Struct, frozen=True, array_like=True):
    """How many connections a node has in `room` (0 when the last has left), how many came in since
    the last report and a few of their uids; `staff` are the members whose tokens make them hosts or
    moderators, with their roles: only nodes see tokens."""

    room: str
    online: int
    entered_count: int = 0
    entered: list[str] = []
    staff: list[tuple[str, str]] = []


class CensusBody(msgspec.Struct, frozen=True, array_like=True):
    """The rooms of a node whose count has changed, or all of them every ten seconds."""

    rooms: list[RoomCensus]


class LivesAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The access nodes of a region, each with its incarnation. `settled` is false while a node that
    is not among them may live all the same."""

    lives: list[tuple[str, str]]
    settled: bool


class RouteChange(msgspec.Struct, frozen=True, array_like=True):
    """One connection of `uid`: on which node of the asker's region, for which device."""

    uid: str
    node: str
    incarnation: str
    connection: int
    device: str = ""


class RoutesBody(msgspec.Struct, frozen=True, array_like=True):
    """Connections to register and to remove, of nodes in `region`."""

    region: str
    add: list[RouteChange] = []
    remove: list[RouteChange] = []


class PushBody(msgspec.Struct, frozen=True, array_like=True):
    """A back end's message: to `room`, to `uids`, or to `everybody`.

    `data` is JSON and goes to clients as it is. `mid` deduplicates; `priority` is a label,
    since a back end may choose it.
    """

    mid: str
    priority: str
    data: bytes
    room: str = ""
    uids: list[str] = []
    everybody: bool = False


encode = msgspec.msgpack.Encoder().encode
"""Return the bytes of any body or answer, those of `proto.im_services` too."""

decode_fetch = msgspec.msgpack.Decoder(FetchBody).decode
decode_fetch_answer = msgspec.msgpack.Decoder(FetchAnswer).decode
decode_likes = msgspec.msgpack.Decoder(LikesBody).decode
decode_census = msgspec.msgpack.Decoder(CensusBody).decode
decode_push = msgspec.msgpack.Decoder(PushBody).decode
decode_lives_answer = msgspec.msgpack.Decoder(LivesAnswer).decode
decode_routes = msgspec.msgpack.Decoder(RoutesBody).decode
