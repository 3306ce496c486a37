"""What is the Redis bus's own: bounds of the stream, loss of its data, takeover."""

from contextlib import closing

import msgspec
import pytest
import trio

from backends.bus.connect import open_bus
from backends.bus.interface import BusUnavailableError
from backends.bus.redis_streams import broadcast
from backends.bus.redis_streams.stream import Group, Stream, connect
from backends.bus.settings import BusSettings
from proto.records import Record, RecordHeader
from proto.topics import Topic

NORMAL = Topic.NORMAL


def record(record_id: object) -> Record:
    return Record(RecordHeader(id=str(record_id), kind="room", ts_ms=1), b"x")


@pytest.fixture
def settings(redis_server) -> BusSettings:
    return BusSettings(
        url=redis_server.url, publish_timeout_s=0.5, backoff_first_s=0.02, claim_after_s=0.3
    )


async def receive(subscription) -> list[str]:
    with trio.fail_after(5):
        delivery = await subscription.receive()
        await delivery.ack()
    return [r.header.id for r in delivery.records]


async def test_lost_data_does_not_stop_the_group(redis_server, settings):
    async with open_bus(settings) as bus, bus.subscribe(NORMAL, "routers") as subscription:
        redis_server.kill()
        redis_server.lose_data()
        redis_server.start()
        await bus.publish(NORMAL, [record("after the loss")])
        assert await receive(subscription) == ["after the loss"]


async def test_a_full_stream_refuses_and_drops_nothing(settings):
    settings = msgspec.structs.replace(settings, backlog_packs=10, in_flight=1)
    async with open_bus(settings) as bus, bus.subscribe(NORMAL, "routers") as subscription:
        for n in range(10):
            await bus.publish(NORMAL, [record(n)])
        with pytest.raises(BusUnavailableError, match="full: 10 packs"):
            await bus.publish(NORMAL, [record("too many")])
        assert [await receive(subscription) for _ in range(10)] == [[str(n)] for n in range(10)]


async def test_a_topic_that_all_listen_to_is_trimmed_by_them(redis_server, settings, monkeypatch):
    monkeypatch.setattr(broadcast, "TRIM_EVERY_S", 0.05)
    settings = msgspec.structs.replace(settings, retention_s=0.001)
    topic = Topic.HOT_NORMAL_1
    async with open_bus(settings) as bus, bus.subscribe_broadcast(topic, "relay-1") as subscription:
        for n in range(3):
            await bus.publish(topic, [record(n)])
            assert await receive(subscription) == [str(n)]
        with redis_server.client() as client, trio.fail_after(5):
            while client.xlen(f"{settings.prefix}:bus:{topic}") > 1:
                await trio.sleep(0.02)


async def test_trimming_spares_what_a_group_needs(redis_server):
    with closing(connect(redis_server.url)) as pool:
        stream = Stream(pool, "s")
        slow, quick = Group(pool, stream, "slow", "m"), Group(pool, stream, "quick", "m")
        await slow.create("$")
        await quick.create("$")
        await stream.append([b"a", b"b", b"c"], 10)
        (first, _), _ = await slow.read(2, 10)
        await quick.acknowledge([entry_id for entry_id, _ in await quick.read(3, 10)])
        assert await stream.trim(0) == 0, "`slow` holds the first"
        await slow.acknowledge([first])
        assert await stream.trim(0) == 1
        assert [body for _, body in await stream.read_after("0-0", 10, 10)] == [b"b", b"c"]
        assert await stream.trim(3600) == 0


async def test_an_append_is_whole_or_not_at_all(redis_server):
    with closing(connect(redis_server.url)) as pool:
        stream = Stream(pool, "s")
        assert await stream.append([b"a"], 2)
        assert not await stream.append([b"b", b"c"], 2)
        assert await stream.append([b"d"], 2)
        assert [body for _, body in await stream.read_after("0-0", 10, 10)] == [b"a", b"d"]


async def test_a_pack_that_kills_its_consumers_is_buried(redis_server, settings):
    settings = msgspec.structs.replace(settings, max_attempts=2)
    async with open_bus(settings) as bus:
        with closing(connect(redis_server.url)) as pool:
            stream = Stream(pool, "relaymesh:bus:normal")
            victims = [Group(pool, stream, "routers", f"victim {n}") for n in (1, 2)]
            await victims[0].create("$")
            await bus.publish(NORMAL, [record("deadly")])
            assert len(await victims[0].read(1, 100)) == 1
            assert [attempt for _, _, attempt in await victims[1].claim(0, 1)] == [2]
            async with bus.subscribe(NORMAL, "routers"):
                with trio.fail_after(5):
                    while not await pool.execute("XLEN", "relaymesh:bus:normal:dead"):
                        await trio.sleep(0.02)
    assert bus.counters[NORMAL].buried == 1


@pytest.mark.cluster_long
async def test_a_slow_member_that_lives_keeps_its_packs(settings):
    async with (
        open_bus(settings) as bus,
        bus.subscribe(NORMAL, "routers") as slow,
        bus.subscribe(NORMAL, "routers") as other,
    ):
        await bus.publish(NORMAL, [record("mine")])
        got: list[str] = []

        async def take(subscription) -> None:
            delivery = await subscription.receive()
            got.extend(r.header.id for r in delivery.records)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take, slow)
            nursery.start_soon(take, other)
            await trio.sleep(4 * settings.claim_after_s)
            nursery.cancel_scope.cancel()
        assert got == ["mine"]
