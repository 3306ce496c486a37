"""What the ends of every kind of link share: links that count credit, and whom to tell of it."""

from collections.abc import Callable

from backends.links.flow import BadMessageError, Flow
from backends.links.interface import Event, Happened, NotSendableError


class FlowLink:
    """A link that counts credit and leaves the carrying to others.

    `transmit` takes a message and says whether it went; `cut` ends the connection underneath.
    """

    def __init__(
        self, name: str, flow: Flow, transmit: Callable[[bytes], bool], cut: Callable[[], None]
    ) -> None:
        self._name = name
        self._flow = flow
        self._transmit = transmit
        self._cut = cut
        self._gone = False
        self._due: set[FlowLink] = set()
        self.peer: str | None = None
        """See `Link`; set by whoever makes the connection, before it opens."""

    def owe_to(self, due: "set[FlowLink]") -> None:
        """From now on put this link into `due` when the other side has credit to come."""
        self._due = due

    @property
    def name(self) -> str:
        """The other side's address, for logs."""
        return self._name

    @property
    def sendable(self) -> bool:
        """Whether a batch may be sent now."""
        return self._flow.open and not self._gone

    @property
    def in_flight(self) -> int:
        """Messages that the other side has not consumed yet."""
        return self._flow.in_flight

    def send(self, batch: bytes) -> None:
        """Send `batch`; raises `NotSendableError` unless `sendable`."""
        if not self.sendable:
            raise NotSendableError(self._name)
        self._carry(self._flow.pack(batch))

    def send_control(self, batch: bytes) -> bool:
        """Send `batch`, in the spare place where the window is closed."""
        if self._gone or not self._flow.open_for_control:
            return False
        self._carry(self._flow.pack(batch))
        return True

    def consumed(self) -> None:
        """Give one place back."""
        self._flow.consume()
        self._due.add(self)

    def tell(self) -> bool:
        """Send the credit that is due; false where it has to wait for a place."""
        if self._flow.ack_due and not self._gone:
            self._carry(self._flow.pack_ack())
        return self._gone or not self._flow.ack_blocked

    def take(self, message: bytes) -> bytes:
        """Take in a message and return its batch; raises `BadMessageError`."""
        batch = self._flow.unpack(message)
        if not batch:
            self._due.add(self)
        return batch

    def end(self) -> None:
        """Note that the connection underneath is gone."""
        self._gone = True

    def close(self) -> None:
        """Cut the connection."""
        if not self._gone:
            self._cut()

    def _carry(self, message: bytes) -> None:
        # Both windows are smaller than what the carrier holds, so a refusal is a broken peer.
        if not self._transmit(message):
            self._cut()


class Ledger:
    """The credit and the bad messages of all links of one end."""

    def __init__(self) -> None:
        self.bad = 0
        self._due: set[FlowLink] = set()

    def admit(self, link: FlowLink) -> None:
        """Keep the books of `link` from now on."""
        link.owe_to(self._due)

    def tell(self) -> None:
        """Send all credit that is due."""
        if self._due:
            due = [link for link in self._due if not link.tell()]
            self._due.clear()
            self._due.update(due)

    def events(self, link: FlowLink, message: bytes) -> list[Event]:
        """Return what `message` means for `link`; a bad one is counted and cuts it."""
        could_send = link.sendable
        try:
            batch = link.take(message)
        except BadMessageError:
            self.bad += 1
            link.close()
            return []
        found = [Event(link, batch)] if batch else []
        if link.sendable and not could_send:
            found.append(Event(link, Happened.SENDABLE))
        return found
