"""What an application hears of instant messages, and where it goes on after its own restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from relaymesh_client.errors import Refused, RelaymeshError

Fields = dict[str, Any]
"""A JSON object as it came, or as it is sent."""


class Sent(NamedTuple):
    """A message that the cluster keeps: where it stands, for good."""

    conv: str
    seq: int
    id: str
    ts: int
    """Unix milliseconds of its commit."""
    mid: str


class Draft(NamedTuple):
    """A message that has no answer yet: `fields` are those of `send` but `conv` and `mid`."""

    conv: str
    mid: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class ImPosition:
    """How far a device has its streams: `since` in the mailbox (`None`: wherever the cluster says),
    `hot` by group."""

    epoch: str = ""
    since: int | None = None
    hot: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A message: each comes once, and in its conversation's order.

    `stream` and `n` say where it stands for this device; `kind` is `message`, `recall`,
    `group_joined` and so on, and says what `body` is (docs/protocol.md). `uid` is the sender, or
    who did what it tells; `ts` is in Unix milliseconds. `frame` is all that the server sent.
    """

    stream: str
    n: int
    conv: str
    seq: int
    id: str
    kind: str
    uid: str
    name: str
    ts: int
    mid: str
    body: Fields
    recalled: bool
    frame: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class Typing:
    """`uid` types in `conv`, or (`on` false) has stopped; to be forgotten after some seconds."""

    conv: str
    uid: str
    on: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """`uid` has read `conv` up to `seq`; it may be this user, on another device."""

    conv: str
    uid: str
    seq: int
    ts: int


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """A device of a user, and when it was last heard (Unix milliseconds, 0: never)."""

    device: str
    online: bool
    seen_ms: int


@dataclass(frozen=True, slots=True)
class Presence:
    """`state` is `online`, `offline`, or `unknown` while the cluster can't tell."""

    uid: str
    state: str
    devices: tuple[DevicePresence, ...]


@dataclass(frozen=True, slots=True)
class MailboxOpened:
    """The connection takes instant messages; `standing` is `level`, `behind` (what was missed is
    fetched page by page, and comes before what is new) or `reset`."""

    standing: str
    epoch: str
    head: int


@dataclass(frozen=True, slots=True)
class MailboxReset:
    """Messages of the mailbox after number `old` (`None`: nothing was known) up to `new` will not
    come: begin from `sessions` and `history`."""

    old: int | None
    new: int


@dataclass(frozen=True, slots=True)
class ImUnavailable:
    """The connection takes no instant messages; the client connects anew after a while."""

    error: Refused


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The cluster keeps a message of this client: it waits no longer in the outbox."""

    sent: Sent


@dataclass(frozen=True, slots=True)
class NotSent:
    """A message was refused, or given up after its time (`Unanswered`: it may have been sent)."""

    draft: Draft
    error: RelaymeshError


Kept = Message | MailboxReset
"""What a queue never drops: what the application does not take is not acknowledged either, so the
server sends no more of it than its window holds."""
Signal = Typing | Receipt | Presence
ImEvent = Kept | Signal | MailboxOpened | ImUnavailable | Acknowledged | NotSent
