"""The whole node on a real Redis, as store and as bus, which is killed under it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from backends.bus.connect import open_bus
from backends.bus.settings import BusSettings
from backends.database.settings import DatabaseSettings
from backends.likes.redis import RedisLikes
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from logic.node import Logic
from logic.service import run
from logic.settings import Settings
from mesh.settings import MeshSettings
from proto.errors import RequestError
from proto.headers import RequestHeader
from proto.identity import NodeIdentity
from proto.services import FetchBody, LikeCount, LikesBody, Method, decode_fetch_answer, encode
from proto.topics import Topic
from tests import gifts

WITHIN_S = 20


def settings_for(server) -> Settings:
    """Settings with bus, store and database in the server's own folder."""
    return Settings(
        database=DatabaseSettings(url=f"sqlite:///{server.folder}/relaymesh.db"),
        receipts=gifts.SETTINGS,
        mesh=MeshSettings(relays=["tcp://127.0.0.1:1"]),
        bus=BusSettings(url=server.url),
        store=StoreSettings(url=server.url),
    )


@asynccontextmanager
async def node(settings: Settings, name: str = "logic-1") -> AsyncIterator[Logic]:
    stopping = trio.Event()
    life = f"{random.getrandbits(64):x}"
    identity = NodeIdentity(node=name, region="local", incarnation=life)
    async with trio.open_nursery() as nursery:
        logic = await nursery.start(_run, settings, identity, stopping)
        yield logic
        stopping.set()


async def _run(settings, identity, stopping, task_status):
    await run(settings, identity, stopping=stopping, task_status=task_status)


async def until_kept(logic, method, body, **header):
    """Ask again, with the same body, until it is answered: as clients and nodes do."""
    asked = RequestHeader(1, "access-1", "i1", method, 2000, **header)
    while True:
        try:
            return await logic.dispatch.handle(asked, body)
        except RequestError as error:
            await trio.sleep(min(error.body.retry_after_ms, 50) / 1000)


def chat(mid: str) -> bytes:
    return msgspec.json.encode({"op": "chat", "id": 1, "room": "a", "text": "hi", "mid": mid})


async def test_what_is_acknowledged_is_in_the_log_once_and_on_the_bus_when_redis_is_killed(
    redis_server,
):
    settings = settings_for(redis_server)
    acknowledged: dict[str, int] = {}
    arrived: set[int] = set()

    async def talk(logic, name):
        for i in range(40):
            ok = await until_kept(logic, Method.PUBLISH, chat(f"{name}-{i}"), uid=name, room="a")
            acknowledged[f"{name}-{i}"] = msgspec.json.decode(ok)["seq"]

    async def listen(subscription):
        while len(arrived) < 160:
            delivery = await subscription.receive()
            arrived.update(record.header.seq for record in delivery.records)
            await delivery.ack()

    with trio.fail_after(WITHIN_S):
        async with (
            open_bus(settings.bus) as bus,
            bus.subscribe(Topic.NORMAL, "test") as subscription,
            node(settings) as logic,
        ):
            while not await _subscribed(subscription):
                await trio.sleep(0.01)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen, subscription)
                for name in "abcd":
                    nursery.start_soon(talk, logic, name)
                while len(acknowledged) < 30:
                    await trio.sleep(0.001)
                await trio.to_thread.run_sync(redis_server.restart)
            body = encode(FetchBody(1, "", 0, 0, newest=200))
            answer = await until_kept(logic, Method.FETCH, body, room="a")
    assert sorted(acknowledged.values()) == list(range(1, 161)) == sorted(arrived)
    assert [seq for seq, _ in decode_fetch_answer(answer).frames] == list(range(1, 161))


async def _subscribed(subscription) -> bool:
    """Whether the group is there, so that nothing published from now on passes it by."""
    return await subscription.lag() == 0


async def test_acknowledged_likes_survive_redis_and_logic(redis_server):
    settings = settings_for(redis_server)

    async def report(logic, count):
        body = encode(LikesBody([LikeCount("a", "n1", count)]))
        await until_kept(logic, Method.LIKES, body)

    with trio.fail_after(WITHIN_S):
        async with node(settings) as logic:
            for count in range(1, 30):
                await report(logic, count)
            await trio.to_thread.run_sync(redis_server.restart)
            await report(logic, 30)
        async with node(settings, "logic-2") as logic, open_redis(settings.store) as redis:
            await report(logic, 31)
            while await RedisLikes(redis).total("a") < 31:
                await trio.sleep(0.02)
            assert await RedisLikes(redis).total("a") == 31


async def test_a_second_node_knows_what_the_first_has_answered(shared_redis):
    settings = settings_for(shared_redis)
    with trio.fail_after(WITHIN_S):
        async with node(settings) as one, node(settings, "logic-2") as two:
            first = await until_kept(one, Method.PUBLISH, chat("m1"), uid="ann", room="a")
            again = await until_kept(two, Method.PUBLISH, chat("m1"), uid="ann", room="a")
    assert first == again


async def test_without_a_relay_it_is_not_ready_and_still_stops(shared_redis):
    with trio.fail_after(WITHIN_S):
        async with node(settings_for(shared_redis)) as logic:
            assert logic.ready() is False
            assert logic.status()["links"] == 0


async def test_an_address_that_can_not_be_one_is_refused(shared_redis):
    settings = msgspec.structs.replace(
        settings_for(shared_redis), store=StoreSettings(url="redis://:notaport")
    )
    with pytest.raises(ValueError):
        await run(
            settings,
            NodeIdentity(node="logic-1", region="local", incarnation="i"),
            stopping=trio.Event(),
        )
