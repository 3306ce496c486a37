"""Links: batches of bytes between a dialer and a listener, in order, none lost while a link lives.

A lane of the mesh is one listener. Whoever listens has many links, whoever dials has one. Both
are polled: `poll` returns what has happened, `wait` waits until something has.

Credit keeps what is under way bounded: a side may send while its link is `sendable`, and gets a
place back for each batch that the other side has `consumed`. Who does not say `consumed` pushes
back, and nothing is lost by it.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol

LISTENER_HOST = "relay"
"""The host name that a listener's certificate is for: only relays listen, and what they are counts,
not their addresses."""

MAX_MESSAGE_BYTES = 2 << 20
"""What a link carries at most in one piece; a peer that sends more is cut."""


class Happened(Enum):
    """What became of a link, beside the batches that it brought."""

    OPENED = "opened"
    SENDABLE = "sendable"
    GONE = "gone"


class Certificate(NamedTuple):
    """The certificate that one side shows on its links: the name in it, and its end in Unix
    seconds."""

    name: str
    expires_s: float


class Link(Protocol):
    """One connection between two processes; once gone it never comes back, its successor does."""

    @property
    def name(self) -> str:
        """The other side's address, for logs."""

    @property
    def peer(self) -> str | None:
        """The common name in the other side's certificate, which TLS has verified: "" where it has
        none, `None` on a link without TLS."""

    @property
    def sendable(self) -> bool:
        """Whether a batch may be sent now; false for good once the link is gone."""

    @property
    def in_flight(self) -> int:
        """Messages sent that the other side has not consumed yet, as far as it has said so."""

    def send(self, batch: bytes) -> None:
        """Send `batch`; raises `NotSendableError` unless `sendable`."""

    def send_control(self, batch: bytes) -> bool:
        """Send `batch`, also where the window is just closed: pings pass while the other side
        pushes back. Only dialers have the spare place; false where it is taken or none."""

    def consumed(self) -> None:
        """Give one place back: a batch that came by this link has been dealt with."""

    def close(self) -> None:
        """Cut the link; the other side and this one see it gone."""


class Event(NamedTuple):
    """Something that happened to `link`: a batch came, or its state changed."""

    link: Link
    what: bytes | Happened


class Endpoint(Protocol):
    """One end with its links: a listener with many, or a dialer with one."""

    @property
    def bad(self) -> int:
        """Messages that were empty, of another version or no link's at all; each cut its link."""

    def poll(self, limit: int) -> Sequence[Event]:
        """Return what has happened, at most about `limit` batches; never waits. Sends the credit
        that is due before it looks."""

    async def wait(self) -> None:
        """Wait until `poll` may have something (or nothing, now and then)."""

    def close(self) -> None:
        """Cut all links and give the address back."""


class Dialed(Endpoint, Protocol):
    """A dialer's end."""

    @property
    def link(self) -> Link:
        """The one link."""


class Links(Protocol):
    """Makes ends."""

    async def dial(self, url: str) -> Dialed:
        """Connect to the listener at `url`, trying again until it is there."""

    def listen(self, url: str) -> Endpoint:
        """Listen at `url`; raises `OSError` with a line for the user where that can't be done."""

    async def explain(self, url: str) -> str:
        """Say why `url` can't be reached, as far as one try shows it; "" where it can."""

    @property
    def certificate(self) -> Certificate | None:
        """What this side shows; `None` without TLS."""


class NotSendableError(Exception):
    """The window is closed or the link is gone: look at `sendable` first."""
