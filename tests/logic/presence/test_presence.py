import pytest
import trio
from sqlalchemy import insert

from backends.database.schema import devices
from backends.errors import StoreUnavailableError
from backends.leases.interface import NodeLease
from backends.leases.memory import MemoryRegistry
from backends.routes.interface import Route
from backends.routes.memory import MemoryRoutes
from logic.living import Living
from logic.presence.handler import MAX_UIDS, PresenceHandler
from logic.presence.presence import Presence
from proto.errors import RequestError
from proto.headers import RequestHeader
from proto.im_services import DevicePresence, PresenceBody, decode_presence_answer
from proto.services import Method, encode

LEASE_S = 3.0


class Store:
    """Routes and leases in memory that can be away."""

    def __init__(self) -> None:
        self.routes = MemoryRoutes()
        self.registry = MemoryRegistry(trio.current_time, LEASE_S)
        self.away = False
        self.reads = 0

    def check(self) -> None:
        if self.away:
            raise StoreUnavailableError("away")

    async def lookup(self, uids):
        self.check()
        return await self.routes.lookup(uids)

    async def living(self):
        self.reads += 1
        self.check()
        return await self.registry.living()

    async def settled(self):
        self.check()
        return await self.registry.settled()


class World:
    def __init__(self, database) -> None:
        self.store = Store()
        self.database = database
        self.living = Living(self.store)
        self.handler = PresenceHandler(Presence(self.store, self.living), database)

    async def renew(self, node: str = "access-1", incarnation: str = "i1") -> None:
        await self.store.registry.renew(NodeLease(node, "access", "r", incarnation, "", {}))

    async def connect(self, uid: str, device: str = "", node: str = "access-1", life: str = "i1"):
        await self.store.routes.add([(uid, Route(node, life, 1, device))])

    async def asked(self, *uids: str):
        header = RequestHeader(1, "access-1", "i1", Method.PRESENCE, 1000)
        return decode_presence_answer(await self.handler.handle(header, asking(*uids))).users

    async def state(self, uid: str) -> str:
        return (await self.asked(uid))[0].state


def asking(*uids: str) -> bytes:
    return encode(PresenceBody(list(uids)))


@pytest.fixture
async def world(database):
    world = World(database)
    for _ in range(4):
        await world.renew()
        await trio.sleep(1)
    return world


async def test_each_user_is_told_with_all_devices(world, autojump_clock):
    await world.database.write(
        lambda connection: connection.execute(
            insert(devices),
            [
                {"uid": "ann", "device": "phone", "seen": 5},
                {"uid": "ann", "device": "web", "seen": 7},
                {"uid": "bob", "device": "phone", "seen": 9},
            ],
        )
    )
    await world.connect("ann", "web")
    await world.connect("cid")
    bob, ann, cid, eve = await world.asked("bob", "ann", "cid", "eve")
    assert (ann.uid, ann.state) == ("ann", "online")
    assert ann.devices == [DevicePresence("phone", False, 5), DevicePresence("web", True, 7)]
    assert (bob.state, bob.devices) == ("offline", [DevicePresence("phone", False, 9)])
    assert (cid.state, cid.devices) == ("online", [])
    assert (eve.state, eve.devices) == ("offline", [])


async def test_a_dead_life_of_a_node_makes_nobody_online(world, autojump_clock):
    await world.connect("ann", "phone", life="i0")
    await world.connect("ann", "web", node="access-9")
    assert await world.state("ann") == "offline"


async def test_a_node_that_has_just_come_is_known_at_once(world, autojump_clock):
    assert await world.state("ann") == "offline"
    await world.renew("access-2", "j1")
    await world.connect("ann", "phone", "access-2", "j1")
    assert await world.state("ann") == "online"


async def test_dead_routes_are_not_looked_into_each_time(world, autojump_clock):
    await world.connect("ann", "phone", life="i0")
    await world.state("ann")
    reads = world.store.reads
    for _ in range(50):
        await world.state("ann")
    assert world.store.reads == reads


async def test_a_node_that_dies_is_known_within_a_second_of_its_lease(world, autojump_clock):
    await world.renew("access-2", "j1")
    await world.connect("ann", "phone", "access-2", "j1")
    ends_at = trio.current_time() + LEASE_S
    offline_at = None
    while offline_at is None:
        await world.renew()
        if await world.state("ann") == "offline":
            offline_at = trio.current_time()
        await trio.sleep(0.5)
    assert ends_at <= offline_at <= ends_at + 1


async def test_nobody_is_offline_while_the_store_is_away(world, autojump_clock):
    await world.connect("ann", "phone")
    world.store.away = True
    assert [user.state for user in await world.asked("ann", "bob")] == ["unknown", "unknown"]
    world.store.away = False
    await world.renew()
    assert [user.state for user in await world.asked("ann", "bob")] == ["online", "offline"]


async def test_nobody_is_offline_after_the_store_has_lost_its_data_until_all_have_renewed(
    world, autojump_clock
):
    await world.connect("ann", "phone")
    world.store.registry = MemoryRegistry(trio.current_time, LEASE_S)
    world.store.routes = MemoryRoutes()
    assert await world.state("ann") == "unknown"
    await world.renew()
    await trio.sleep(1)
    assert await world.state("ann") == "unknown"
    await world.connect("ann", "phone")
    for _ in range(3):
        await world.renew()
        await trio.sleep(1)
    assert await world.state("ann") == "online"


@pytest.mark.parametrize("uids", [["not a uid"], ["u"] * (MAX_UIDS + 1)])
async def test_bad_uids_are_refused_by_name(world, autojump_clock, uids):
    with pytest.raises(RequestError) as error:
        await world.asked(*uids)
    assert error.value.body.field == "uids"
