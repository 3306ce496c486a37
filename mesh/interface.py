"""What a node sees of the mesh: relays by name, rooms it wants, requests it asks or serves."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from backends.links.interface import Certificate
from mesh.settings import MeshSettings
from proto.envelopes import Envelope
from proto.headers import RequestHeader
from proto.priorities import Priority
from proto.services import Method

Receive = Callable[[str, Envelope], None]
"""Takes an envelope and the relay that it came from; quick, and never waits."""

Serve = Callable[[RequestHeader, bytes], Awaitable[bytes]]
"""Takes a request's header and body and returns the answer's body, or raises `RequestError`."""


class Mesh(Protocol):
    """A node's links to the relays of its region, one for each relay and lane."""

    @property
    def changes(self) -> int:
        """How often a relay has come up or gone down: what was on its way then may be lost."""
        ...

    @property
    def certificate(self) -> Certificate | None:
        """What this node shows to relays; `None` where links are not encrypted."""

    def carriers(self, key: str) -> list[str]:
        """Return the relays that are up, in the order in which they carry `key`: room or node."""

    async def send(self, relay: str, priority: Priority, envelope: bytes) -> None:
        """Put `envelope` on the relay's lane; waits while the relay pushes back.

        Raises `RelayDownError` when the link is down, or goes down while this waits.
        """

    def offer(self, relay: str, priority: Priority, envelope: bytes) -> bool:
        """As `send`, but never waits: false (and counted) where the lane is full or down."""

    def want(self, room: str) -> None:
        """Announce interest in `room` to every relay, now and after each reconnect."""

    def unwant(self, room: str) -> None:
        """Withdraw the interest in `room`."""

    def want_once(self, key: str) -> None:
        """Announce interest in `key` to one relay, the first that carries it, and to the next when
        that one goes."""

    def unwant_once(self, key: str) -> None:
        """Withdraw the interest in `key`."""

    def reconfigured(self, settings: MeshSettings) -> None:
        """Take over the keys that reload: the bounds and, unless they are discovered, the relays;
        those that stay are not touched.

        Raises `BadAddressError`, and changes nothing, where an address is none.
        """

    async def confirmed(self, room: str) -> None:
        """Wait until the carrier of `room` has confirmed the interest; raises `RequestError`
        `unavailable` when no relay has within the configured time."""

    async def request(
        self,
        method: Method,
        priority: Priority,
        body: bytes = b"",
        *,
        room: str = "",
        uid: str = "",
        name: str = "",
        role: str = "",
        trace: str = "",
        repeatable: bool = False,
        home: str = "",
    ) -> bytes:
        """Ask an instance of logic and return the answer's body.

        Raises `RequestError`: what logic answered, or `overloaded`, `unavailable`,
        `home_unreachable`, `timeout`. `home` is the region to ask; "": where the room, or without
        one the users, are at home. A `repeatable` request is tried once more over another relay
        before that.
        """


class RelayDownError(Exception):
    """The link to the relay is down: take the next carrier, or leave it to the repair."""
