"""Delivers records: rooms over their carrier, users by the plan, to everybody over any relay."""

from collections.abc import Callable, Sequence

import structlog

from backends.errors import StoreUnavailableError
from backends.routes.interface import Route, Routes
from proto.priorities import Priority
from proto.records import Record
from router import envelopes
from router.costs import Costs
from router.counters import Counters
from router.dispatch import Dispatch
from router.plan import Cluster, Load, Mode, choose
from router.presence import Presence
from router.spread import by_relay, packed_bytes, packed_number_bytes

log = structlog.get_logger()


class Deliverer:
    """Turns records into envelopes on the mesh; returns when the relays have taken them."""

    def __init__(
        self,
        dispatch: Dispatch,
        routes: Routes,
        presence: Presence,
        relays: Callable[[], int],
        costs: Costs,
        counters: Counters,
        now_ms: Callable[[], int],
    ) -> None:
        self._dispatch = dispatch
        self._routes = routes
        self._presence = presence
        self._relays = relays
        self.costs = costs
        self._counters = counters
        self._now_ms = now_ms

    async def room(self, record: Record) -> None:
        """Send a room's record to the room's carrier, for every node that is interested."""
        priority = Priority.of(record.header.priority)
        await self._dispatch.send(record.header.room, priority, envelopes.room(record))
        self._note(record, Mode.ROOM, 1)

    async def everybody(self, record: Record) -> None:
        """Send a record for all who are connected to a relay, which reaches every node."""
        priority = Priority.of(record.header.priority)
        await self._dispatch.send(record.header.id, priority, envelopes.everybody(record))
        self._note(record, Mode.EVERYBODY, 1)

    async def users(self, records: Sequence[Record]) -> None:
        """Send users' records, each the cheaper way; those to be looked up share one lookup."""
        modes = [self.mode_of(record, len(records)) for record in records]
        pairs = list(zip(records, modes, strict=True))
        exact = [record for record, mode in pairs if mode is Mode.PRECISE]
        routes = await self._look_up(exact)
        for record in records if routes is None else (r for r, m in pairs if m is Mode.BROADCAST):
            await self._broadcast(record)
        for record, its_routes in zip(exact, routes or (), strict=False):
            await self._precise(record, its_routes)

    def mode_of(self, record: Record, sharing: int = 1) -> Mode:
        """Return the way that `record`, one of `sharing` users' records of a delivery, goes now."""
        uids, seqs = record.header.uids, record.header.seqs
        uid_bytes = sum(map(packed_bytes, uids)) + sum(map(packed_number_bytes, seqs))
        load = Load(len(uids), uid_bytes, len(record.body))
        cluster = Cluster(self._presence.access_nodes, self._relays())
        settled = self._presence.settled
        return choose(load, cluster, self.costs, settled=settled, sharing=sharing).mode

    async def _look_up(self, records: Sequence[Record]) -> list[list[list[Route]]] | None:
        """Return each record's routes, or `None` when they can't be trusted."""
        uids = [uid for record in records for uid in record.header.uids]
        if not uids:
            return []
        try:
            routes = await self._routes.lookup(uids)
            await self._presence.learn(routes)
        except StoreUnavailableError as error:
            self._counters.lookup_failures += 1
            log.warning("routes_unavailable", error=str(error))
            return None
        self._counters.lookups += len(uids)
        return _cut(routes, records) if self._presence.settled else None

    async def _broadcast(self, record: Record) -> None:
        priority, count = Priority.of(record.header.priority), 0
        for envelope in envelopes.to_everyone(record):
            # The record's id spreads broadcasts over the relays, each of which reaches every node.
            await self._dispatch.send(record.header.id, priority, envelope)
            count += 1
        self._note(record, Mode.BROADCAST, count)

    async def _precise(self, record: Record, routes: Sequence[Sequence[Route]]) -> None:
        grouped = by_relay(
            record.header.uids, routes, self._presence.incarnations, self._dispatch.carrier
        )
        priority, count = Priority.of(record.header.priority), 0
        for nodes in grouped.values():
            for envelope in envelopes.to_nodes(record, nodes, self._presence.regions):
                await self._dispatch.send(next(iter(nodes)), priority, envelope)
                count += 1
        self._counters.offline += not grouped
        self._note(record, Mode.PRECISE, count)

    def _note(self, record: Record, mode: Mode, count: int) -> None:
        header = record.header
        self._counters.routed[mode] += 1
        self._counters.envelopes[mode] += count
        latency = self._counters.latency[Priority.of(header.priority)]
        latency.observe(self._now_ms() - header.ts_ms)
        log.debug("routed", trace=header.trace, mode=mode.value, id=header.id, envelopes=count)


def _cut(routes: Sequence[list[Route]], records: Sequence[Record]) -> list[list[list[Route]]]:
    """Return the shared lookup's answer cut up by record."""
    rest = iter(routes)
    return [[next(rest) for _ in record.header.uids] for record in records]
