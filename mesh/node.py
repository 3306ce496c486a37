"""A node's end of the mesh: links to every relay of its region, kept up, behind `Mesh`."""

import trio

from backends.links.interface import Links
from mesh.homes import Homes
from mesh.interface import Receive, RelayDownError
from mesh.requests import Attempt, RequestBook, another, unavailable, worth_repeating
from mesh.settings import MeshSettings
from mesh.uplinks import Uplinks
from proto.envelopes import BadEnvelopeError, Envelope, Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.headers import NodeRole, RequestHeader, decode_reply, encode_header
from proto.identity import NodeIdentity
from proto.priorities import Priority
from proto.regions import ONE_REGION, Regions, service_in
from proto.services import Method

_DELIVERED = frozenset(
    map(int, (Kind.ROOM, Kind.HEADS, Kind.USERS, Kind.EVERYBODY, Kind.KICK, Kind.REQUEST))
)


class MeshNode(Uplinks):
    """Implements `mesh.interface.Mesh`; `receive` gets what relays bring for this node."""

    def __init__(
        self,
        identity: NodeIdentity,
        role: NodeRole,
        settings: MeshSettings,
        links: Links,
        receive: Receive,
        regions: Regions = ONE_REGION,
    ) -> None:
        super().__init__(identity, role, settings, links, identity.node)
        self._receive = receive
        self._homes = Homes(regions, identity.region)
        self._turn = 0
        self.requests = RequestBook(identity.incarnation, settings.max_requests)

    def reconfigured(self, settings: MeshSettings) -> None:
        """See `Mesh`."""
        super().reconfigured(settings)
        self.requests.limit = settings.max_requests

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
        """Ask an instance of logic and return the answer's body; see `Mesh`."""
        home = self._homes.elsewhere(home or self._homes.of(method, room))
        key = service_in(method.service, home)

        def envelope(number: int) -> bytes:
            budget_ms = int(self._settings.request_timeout_s * 1000)
            header = RequestHeader(
                number, self._identity.node, self._identity.incarnation, method, budget_ms,
                trace, uid, name, role, room,
            )  # fmt: skip
            try:
                return encode(Kind.REQUEST, priority, key, encode_header(header), body)
            except BadEnvelopeError as error:
                raise RequestError(ErrorCode.TOO_LARGE, str(error)) from error

        relay = another(self._in_turn(), "")
        if relay is None:
            raise unavailable("no relay is up")
        attempt = self.requests.open(relay, priority)
        try:
            return await self._ask(attempt, priority, envelope(attempt.number))
        except RequestError as error:
            repeat = (repeatable or method.idempotent) and worth_repeating(error)
            relay = another(self._in_turn(), relay) if repeat else None
            if relay is None:
                raise
        attempt = self.requests.open(relay, priority)
        return await self._ask(attempt, priority, envelope(attempt.number))

    async def _ask(self, attempt: Attempt, priority: Priority, envelope: bytes) -> bytes:
        try:
            with trio.fail_after(self._settings.request_timeout_s):
                await self.send(attempt.relay, priority, envelope)
                await attempt.settled.wait()
        except RelayDownError:
            raise unavailable("the relay went down before the request was sent") from None
        except trio.TooSlowError:
            raise RequestError(ErrorCode.TIMEOUT) from None
        finally:
            self.requests.close(attempt)
        if attempt.error is not None:
            raise attempt.error
        return attempt.body

    def _in_turn(self) -> list[str]:
        """The relays that carry, each request beginning with the next one."""
        up = self._carriers.carrying
        self._turn += 1
        start = self._turn % len(up) if up else 0
        return up[start:] + up[:start]

    def _taken(self, relay: str, envelope: Envelope) -> None:
        if envelope.kind in _DELIVERED:
            self._receive(relay, envelope)
        elif envelope.kind == Kind.REPLY:
            self.requests.reply(decode_reply(envelope.header), envelope.body)
        else:
            self._drops["unknown_kind", Priority.NORMAL] += 1

    def _lost(self, relay: str) -> None:
        self.requests.relay_down(relay)

    def _under_way(self, relay: str) -> bool:
        return self.requests.under_way(relay)
