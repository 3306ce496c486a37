from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.seen import Seen
from backends.bus.settings import BusSettings
from backends.errors import StoreUnavailableError
from backends.routes.interface import Route
from backends.routes.memory import MemoryRoutes
from mesh.lives import Lives
from proto.envelopes import Kind
from proto.headers import decode_room, decode_spread, decode_users
from proto.priorities import Priority
from proto.records import Record
from proto.services import LivesAnswer, encode
from proto.topics import Topic
from router.consume import Consumer
from router.costs import Costs
from router.counters import TOPICS, Counters
from router.deliver import Deliverer
from router.dispatch import Dispatch
from router.plan import Mode
from router.presence import Presence
from tests.router.parts import FakeMesh, FixedRegistry, lease, room_record, users_record

NODES = [f"access-{number}" for number in range(40)]
SETTINGS = BusSettings(kind="memory", in_flight=4)


class BrokenRoutes(MemoryRoutes):
    async def lookup(self, uids: object) -> list[list[Route]]:
        raise StoreUnavailableError("away")


class World:
    """A router's consumers between a memory bus and a mesh that notes what it is sent."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.broker = MemoryBroker()
        self.bus = MemoryBus(SETTINGS, self.broker, nursery)
        self.mesh = FakeMesh()
        self.routes = MemoryRoutes()
        self.registry = FixedRegistry(*map(lease, NODES))
        self.presence = Presence(self.registry)
        self.counters = Counters()
        self.stopping = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        await self.presence.refresh()
        deliverer = Deliverer(
            Dispatch(self.mesh, self.counters),
            self.routes,
            self.presence,
            lambda: len(self.mesh.up),
            Costs(),
            self.counters,
            lambda: 25,
        )
        for topic in TOPICS:
            consumer = Consumer(topic, self.bus, deliverer, Seen(), self.counters)
            nursery.start_soon(consumer.run, self.stopping)
        await settle()

    async def restart(self) -> None:
        """Stop the consumers and start others, as the parts are now."""
        self.stopping.set()
        await settle()
        self.stopping = trio.Event()
        await self.start(self._nursery)

    async def publish(self, *records: Record) -> None:
        """Publish as one delivery, on the topic of the first record's priority."""
        topic = Topic.of(Priority.of(records[0].header.priority))
        await self.bus.publish(topic, records)
        await settle()

    def open_packs(self, topic: Topic) -> int:
        group = self.broker.topic(f"{SETTINGS.prefix}-{topic}").groups["routers"]
        return len(group.attempts)

    def dead_letters(self, topic: Topic) -> int:
        return len(self.broker.topic(f"{SETTINGS.prefix}-{topic}").dead_letters)


async def settle() -> None:
    await trio.sleep(0.02)


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        world = World(nursery)
        await world.start(nursery)
        yield world
        nursery.cancel_scope.cancel()


async def test_a_rooms_messages_go_to_its_carrier_in_order(autojump_clock: object) -> None:
    async with running() as world:
        await world.publish(*[room_record("lobby", seq) for seq in range(1, 50)])
        assert [decode_room(e.header).seq for _, _, e in world.mesh.sent] == list(range(1, 50))
        assert {relay for relay, _, _ in world.mesh.sent} == {world.mesh.carriers("lobby")[0]}
        assert all(e.kind == Kind.ROOM and e.key == b"lobby" for _, _, e in world.mesh.sent)
        assert world.open_packs(Topic.NORMAL) == 0
        assert world.counters.latency[Priority.NORMAL].sum_ms == 49 * 25


async def test_a_user_is_told_on_the_nodes_of_living_routes_alone(autojump_clock: object) -> None:
    async with running() as world:
        await world.routes.add([("ann", Route("access-3", "i1", 1))])
        await world.routes.add([("ann", Route("access-4", "i1", 2))])
        await world.routes.add([("bob", Route("access-5", "before the restart", 3))])
        await world.publish(users_record("m1", ["ann", "bob", "nobody"]))
        told = {
            node: uids
            for _, _, e in world.mesh.sent
            for node, uids in decode_spread(e.header).nodes.items()
        }
        assert told == {"access-3": ["ann"], "access-4": ["ann"]}
        assert world.counters.routed[Mode.PRECISE] == 1
        assert world.counters.lookups == 3


async def test_a_node_that_has_just_come_is_learned_before_its_route_is_judged(
    autojump_clock: object,
) -> None:
    async with running() as world:
        world.registry.leases.append(lease("access-99", incarnation="new"))
        await world.routes.add([("ann", Route("access-99", "new", 1))])
        await world.publish(users_record("m1", ["ann"]))
        (sent,) = world.mesh.sent
        assert decode_spread(sent[2].header).nodes == {"access-99": ["ann"]}


async def test_dead_routes_cost_one_more_read_of_the_leases_and_no_more(
    autojump_clock: object,
) -> None:
    async with running() as world:
        await world.routes.add([("ann", Route("access-1", "crashed", 1))])
        for number in range(5):
            await world.publish(users_record(f"m{number}", ["ann"]))
        assert world.registry.reads == 2  # one at the start, one for the route
        assert world.counters.offline == 5
        assert world.mesh.sent == []
        assert world.open_packs(Topic.NORMAL) == 0


async def test_missing_lease_data_means_unknown_and_is_broadcast(autojump_clock: object) -> None:
    async with running() as world:
        world.registry.is_settled = False
        await world.presence.refresh()
        await world.publish(users_record("m1", ["ann"]))
        (sent,) = world.mesh.sent
        assert (sent[2].kind, sent[2].key) == (Kind.USERS, b"")
        assert decode_users(sent[2].header).uids == ["ann"]
        assert world.counters.lookups == 0


async def test_a_store_that_is_away_means_broadcast_and_no_loss(autojump_clock: object) -> None:
    async with running() as world:
        world.registry.failure = StoreUnavailableError("away")
        await world.routes.add([("ann", Route("access-3", "restarted", 1))])
        await world.publish(users_record("m1", ["ann"]))
        (sent,) = world.mesh.sent
        assert (sent[2].kind, sent[2].key) == (Kind.USERS, b"")


async def test_a_failed_lookup_means_broadcast(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        world = World(nursery)
        world.routes = BrokenRoutes()
        await world.start(nursery)
        await world.publish(users_record("m1", ["ann"]), users_record("m2", ["bob"]))
        assert [decode_users(e.header).uids for _, _, e in world.mesh.sent] == [["ann"], ["bob"]]
        assert world.counters.lookup_failures == 1
        nursery.cancel_scope.cancel()


async def test_bulk_that_pushes_back_holds_no_urgent(autojump_clock: object) -> None:
    async with running() as world:
        world.mesh.held[Priority.BULK] = trio.Event()
        for seq in range(1, 30):
            await world.publish(room_record("lobby", seq, "bulk"))
        for seq in range(1, 4):
            await world.publish(room_record("lobby", seq, "urgent"))
        assert len(world.mesh.bodies(Priority.URGENT)) == 3
        assert world.open_packs(Topic.URGENT) == 0
        # The bus keeps the backlog: no more is open than it may hand out.
        assert world.open_packs(Topic.BULK) == SETTINGS.in_flight
        world.mesh.held.pop(Priority.BULK).set()
        await settle()
        assert len(world.mesh.bodies(Priority.BULK)) == 29
        assert world.open_packs(Topic.BULK) == 0


async def test_a_relay_that_goes_is_replaced_by_the_next(autojump_clock: object) -> None:
    async with running() as world:
        first, second = world.mesh.carriers("lobby")
        world.mesh.broken.add(first)
        await world.publish(room_record("lobby", 1))
        assert [relay for relay, _, _ in world.mesh.sent] == [second]
        assert world.counters.failovers == 1


async def test_without_a_relay_nothing_is_acknowledged_and_nothing_lost(
    autojump_clock: object,
) -> None:
    async with running() as world:
        relays, world.mesh.up = world.mesh.up, []
        await world.publish(room_record("lobby", 1), users_record("m1", ["ann"]))
        await trio.sleep(5)
        assert world.open_packs(Topic.NORMAL) == 1
        assert world.mesh.sent == []
        world.mesh.up = relays
        await trio.sleep(1)
        assert world.mesh.bodies()[:1] == [b"lobby/normal/1"]
        assert world.open_packs(Topic.NORMAL) == 0


async def test_what_comes_again_is_settled_and_not_sent_again(autojump_clock: object) -> None:
    async with running() as world:
        for _ in range(3):
            await world.publish(room_record("lobby", 1))
        assert len(world.mesh.sent) == 1
        assert world.counters.duplicates[Topic.NORMAL] == 2
        assert world.open_packs(Topic.NORMAL) == 0


async def test_what_comes_again_while_open_is_not_settled_before_the_first(
    autojump_clock: object,
) -> None:
    async with running() as world:
        world.mesh.held[Priority.NORMAL] = trio.Event()
        await world.publish(users_record("m1", ["ann"] * 500))
        await world.publish(users_record("m1", ["ann"] * 500))
        await trio.sleep(1)
        assert world.open_packs(Topic.NORMAL) == 2
        world.mesh.held[Priority.NORMAL].set()
        await settle()
        assert world.open_packs(Topic.NORMAL) == 0
        assert len(world.mesh.sent) == 1


async def test_a_hot_group_is_a_room_for_those_who_want_its_stream(
    autojump_clock: object,
) -> None:
    stream = "hot:g:" + "a" * 64
    async with running() as world:
        await world.publish(room_record(stream, 7))
        ((_, lane, envelope),) = world.mesh.sent
        assert (envelope.kind, envelope.key.decode(), lane) == (Kind.ROOM, stream, Priority.NORMAL)
        assert decode_room(envelope.header).seq == 7


POISON = {
    "no room": room_record("", 1),
    "a name that is none": room_record("two words", 1),
    "an unknown priority": room_record("lobby", 1, "gold"),
    "no receivers": users_record("u", []),
    "too many receivers": users_record("u", ["ann"] * 1001),
    "a malformed uid": users_record("u", ["a\nb"]),
    "no id": room_record("lobby", 1, id=""),
    "a negative number": room_record("lobby", -1),
    "a trace that is not ASCII": room_record("lobby", 1, trace="é"),
    "a huge trace": room_record("lobby", 1, trace="t" * 70_000),
    "a hot stream of no group": room_record("hot:g:", 1),
    "a number for nobody": users_record("u", ["ann"], seqs=[1, 2]),
    "a number that none can be": users_record("u", ["ann"], seqs=[0]),
}


@pytest.mark.parametrize("name", list(POISON))
async def test_poison_is_buried_and_the_rest_goes_on(name: str, autojump_clock: object) -> None:
    poison = POISON[name]
    async with running() as world:
        await world.bus.publish(Topic.NORMAL, [poison, room_record("lobby", 2)])
        await settle()
        await world.publish(room_record("lobby", 3))
        assert world.mesh.bodies() == [b"lobby/normal/2", b"lobby/normal/3"]
        assert world.dead_letters(Topic.NORMAL) == 1
        assert world.counters.buried[Topic.NORMAL] == 1
        assert world.open_packs(Topic.NORMAL) == 0


async def test_a_stop_finishes_what_was_taken(autojump_clock: object) -> None:
    async with trio.open_nursery() as outer:
        world = World(outer)
        async with trio.open_nursery() as consuming:
            await world.start(consuming)
            world.mesh.held[Priority.NORMAL] = gate = trio.Event()
            await world.publish(room_record("lobby", 1))
            world.stopping.set()
            await trio.sleep(1)
            gate.set()
        assert world.mesh.bodies() == [b"lobby/normal/1"]
        assert world.open_packs(Topic.NORMAL) == 0
        outer.cancel_scope.cancel()


async def test_a_user_in_another_region_is_told_there(autojump_clock: object) -> None:
    async with running() as world:
        elsewhere = Lives(world.mesh, ("us",))
        world.mesh.answer = lambda: encode(LivesAnswer([("access-us", "i9")], settled=True))
        await elsewhere.ask("us")
        world.presence = Presence(world.registry, elsewhere)
        await world.restart()
        await world.routes.add([("ann", Route("access-us", "i9", 1, "", "us"))])
        await world.routes.add([("ann", Route("access-3", "i1", 2))])
        await world.routes.add([("bob", Route("access-us", "before", 3, "", "us"))])
        await world.publish(users_record("m1", ["ann", "bob"]))
        spreads = [decode_spread(e.header) for _, _, e in world.mesh.sent]
        told = {node: uids for spread in spreads for node, uids in spread.nodes.items()}
        assert told == {"access-us": ["ann"], "access-3": ["ann"]}
        regions = {node: home for spread in spreads for node, home in spread.regions.items()}
        assert regions == {"access-us": "us"}
