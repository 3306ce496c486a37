"""The link to one other region: one connection to each of its relays."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog

from backends.links.interface import Links
from backends.tls.settings import TlsSettings
from mesh.connection import Connection
from mesh.lane import LinkLostError
from mesh.settings import MeshSettings
from mesh.uplinks import Uplinks
from proto.envelopes import Envelope
from proto.identity import NodeIdentity
from proto.priorities import Priority

log = structlog.get_logger()


class Watch(Protocol):
    """Who has put something on a link, and hears what becomes of it."""

    def relays_changed(self, region: str) -> None:
        """Note that relays of `region` have come, gone, or begun or ceased to carry."""

    def under_way(self, region: str, relay: str) -> bool:
        """Say whether something that was asked by `relay` has no answer yet."""


class RegionLink(Uplinks):
    """Carries what is for `region`; `watch` hears of its relays.

    Nothing but answers of the mesh itself comes back by it: what the region's relays have for this
    one they send over the links that they dial.
    """

    def __init__(
        self,
        me: NodeIdentity,
        region: str,
        relays: Sequence[str],
        silence_s: float,
        links: Links,
        watch: Watch,
        tls: TlsSettings,
    ) -> None:
        settings = MeshSettings(relays=list(relays), silence_s=silence_s, tls=tls)
        super().__init__(me, "relay", settings, links, me.region)
        self.region = region
        self.dialled = len(relays)
        """How many relays it should have."""
        self._watch = watch

    def set_relays(self, addresses: Iterable[str]) -> None:
        """Dial `addresses` and no others from now on; raises `BadAddressError`."""
        wanted = list(addresses)
        super().set_relays(wanted)
        self.dialled = len(wanted)

    @property
    def interest(self) -> int:
        """How many rooms are wanted from there."""
        return len(self._wanted)

    def _come_up(self, connection: Connection) -> None:
        if connection.region != self.region:
            raise LinkLostError(
                f"{connection.relay} is of region {connection.region!r}, not {self.region!r}"
            )
        super()._come_up(connection)

    def _taken(self, relay: str, envelope: Envelope) -> None:
        self._drops["forbidden", Priority.NORMAL] += 1
        log.debug("region_link_forbidden", relay=relay, kind=envelope.kind)

    def _moved(self) -> None:
        self._watch.relays_changed(self.region)

    def _under_way(self, relay: str) -> bool:
        return self._watch.under_way(self.region, relay)
