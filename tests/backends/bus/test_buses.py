"""One suite over every bus."""

from pathlib import Path

import pytest
import trio

from backends.bus.interface import Bus, BusUnavailableError, Subscription
from backends.bus.seen import Seen
from proto.packs import MAX_PACK_BYTES, RecordTooLargeError
from proto.records import MAX_RECORD_BODY_BYTES, Record, RecordHeader
from proto.topics import Topic

from .conftest import MemoryHarness

URGENT, NORMAL, LIKES = Topic.URGENT, Topic.NORMAL, Topic.LIKES


def record(record_id: str | int, body: bytes = b"hello", room: str = "lobby") -> Record:
    return Record(RecordHeader(id=str(record_id), kind="room", ts_ms=1, room=room), body)


def some(count: int, **fields) -> list[Record]:
    return [record(n, **fields) for n in range(count)]


async def take(subscription: Subscription, count: int, within_s: float = 15) -> list[str]:
    """Receive and acknowledge until `count` records came; returns their ids, duplicates dropped."""
    seen, ids = Seen(), []
    with trio.fail_after(within_s):
        while len(ids) < count:
            delivery = await subscription.receive()
            new = [r.header.id for r in delivery.records if seen.is_new(r.header.id, 0)]
            ids += new
            await delivery.ack()
    return ids


async def nothing_more(subscription: Subscription) -> bool:
    with trio.move_on_after(0.25):
        await subscription.receive()
        return False
    return True


async def publish_until_kept(bus: Bus, topic: Topic, records: list[Record]) -> None:
    while True:
        try:
            return await bus.publish(topic, records)
        except BusUnavailableError:
            await trio.sleep(0.1)


async def test_what_is_published_arrives_unchanged(harness):
    published = [record(1, b"text"), record(2, b"\x00binary\xff"), record(3, b"")]
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        await bus.publish(NORMAL, published)
        received = []
        with trio.fail_after(15):
            while len(received) < 3:
                delivery = await subscription.receive()
                assert delivery.attempt == 1
                received += delivery.records
                await delivery.ack()
        assert received == published
        counters = bus.counters[NORMAL]
        assert (counters.published, counters.delivered, counters.acknowledged) == (3, 3, 3)
        assert counters.waiting == counters.in_flight == 0


async def test_order_is_kept_within_a_room(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        for n in range(60):
            await bus.publish(NORMAL, [record(n)])
        assert await take(subscription, 60) == [str(n) for n in range(60)]


async def test_publishing_at_the_same_moment_shares_packs(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        async with trio.open_nursery() as nursery:
            for n in range(500):
                nursery.start_soon(bus.publish, NORMAL, [record(n)])
        assert bus.counters[NORMAL].packs_published < 50
        assert sorted(await take(subscription, 500), key=int) == [str(n) for n in range(500)]


async def test_more_than_a_pack_holds(harness):
    records = some(5, body=bytes(MAX_RECORD_BODY_BYTES))
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        await bus.publish(NORMAL, records)
        assert await take(subscription, 5) == ["0", "1", "2", "3", "4"]


async def test_a_record_that_fits_no_pack_harms_no_other(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        with pytest.raises(RecordTooLargeError, match="'huge'"):
            await bus.publish(NORMAL, [record("huge", bytes(MAX_PACK_BYTES))])
        await bus.publish(NORMAL, [record("fine")])
        assert await take(subscription, 1) == ["fine"]


async def test_topics_are_apart(harness):
    async with (
        harness.open() as bus,
        bus.subscribe(URGENT, "routers") as urgent,
        bus.subscribe(LIKES, "routers") as likes,
    ):
        await bus.publish(LIKES, [record("like")])
        await bus.publish(URGENT, [record("urgent")])
        assert await take(urgent, 1) == ["urgent"]
        assert await take(likes, 1) == ["like"]


async def test_members_of_a_group_share(harness):
    async with (
        harness.open() as bus,
        harness.open() as other_bus,
        bus.subscribe(NORMAL, "routers") as one,
        other_bus.subscribe(NORMAL, "routers") as other,
    ):
        await settle_members(harness, bus, [one, other])
        taken: dict[str, list[str]] = {"one": [], "other": []}

        async def consume(name: str, subscription: Subscription) -> None:
            while True:
                delivery = await subscription.receive()
                taken[name] += [r.header.id for r in delivery.records]
                await trio.sleep(0.005)
                await delivery.ack()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume, "one", one)
            nursery.start_soon(consume, "other", other)
            for n in range(60):
                await bus.publish(NORMAL, [record(n, room=f"room {n}")])
            with trio.fail_after(15):
                while len(set(taken["one"] + taken["other"])) < 60:
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert taken["one"]
        assert taken["other"]
        assert not set(taken["one"]) & set(taken["other"])


async def settle_members(harness, bus: Bus, members: list[Subscription]) -> None:
    """Wait until each member was given something: a broker may share out the queues late."""
    given: set[int] = set()

    async def consume(index: int) -> None:
        while True:
            delivery = await members[index].receive()
            given.add(index)
            await delivery.ack()

    async with trio.open_nursery() as nursery:
        for index in range(len(members)):
            nursery.start_soon(consume, index)
        with trio.fail_after(60):
            n = 0
            while len(given) < len(members):
                n += 1
                await bus.publish(NORMAL, [record(f"settle {n}", room=f"room {n}")])
                await trio.sleep(0.02)
        await trio.sleep(0.2)
        nursery.cancel_scope.cancel()


async def test_groups_each_get_everything(harness):
    async with (
        harness.open() as bus,
        bus.subscribe(NORMAL, "routers") as routers,
        bus.subscribe(NORMAL, "archive") as archive,
    ):
        await bus.publish(NORMAL, some(3))
        assert await take(routers, 3) == await take(archive, 3) == ["0", "1", "2"]


async def test_broadcast_reaches_everyone_from_now_on(harness):
    async with harness.open() as bus, harness.open() as other_bus:
        async with bus.subscribe(NORMAL, "routers"):
            await bus.publish(NORMAL, [record("before")])
        async with (
            bus.subscribe_broadcast(NORMAL, "relay-1") as one,
            other_bus.subscribe_broadcast(NORMAL, "relay-2") as other,
        ):
            await bus.publish(NORMAL, some(3))
            assert await take(one, 3) == await take(other, 3) == ["0", "1", "2"]


async def test_a_topic_that_nobody_has_used_can_be_listened_to(harness):
    topic = Topic.HOT_BULK_3
    async with harness.open() as bus, bus.subscribe_broadcast(topic, "relay-1") as subscription:
        async with harness.open() as other_bus:
            await other_bus.publish(topic, some(3))
        assert await take(subscription, 3) == ["0", "1", "2"]


async def test_listening_again_and_again_leaves_nothing_behind(harness):
    topic, threads = Topic.HOT_URGENT_0, []
    async with harness.open() as bus:
        await bus.publish(topic, [record("before")])
        tasks = trio.lowlevel.current_statistics().tasks_living
        for n in range(4):
            async with bus.subscribe_broadcast(topic, "relay-1") as subscription:
                await bus.publish(topic, [record(n), record(f"{n} again")])
                with trio.fail_after(15):
                    await subscription.receive()  # and is left without an answer
            with trio.fail_after(2):  # a read at the server ends
                while trio.lowlevel.current_statistics().tasks_living > tasks:
                    await trio.sleep(0.01)
            threads.append(len(list(Path("/proc/self/task").iterdir())))
            assert bus.counters[topic].in_flight == 0
    # Threads of tests before may end meanwhile.
    assert threads[-1] <= threads[0]


async def test_a_listener_that_is_cut_off_in_the_middle_leaves_nothing_behind():
    harness = MemoryHarness()
    async with harness.open() as bus:
        with trio.move_on_after(0.01):
            async with bus.subscribe_broadcast(NORMAL, "relay-1") as subscription:
                await subscription.receive()
        await bus.publish(NORMAL, some(3))
    topic = harness.broker.topic(f"{harness.settings.prefix}-normal")
    assert (topic.groups, len(topic.packs)) == ({}, 0)


async def test_a_new_group_starts_now_and_a_known_one_where_it_was(harness):
    async with harness.open() as bus:
        async with bus.subscribe(NORMAL, "known") as subscription:
            await bus.publish(NORMAL, [record("first")])
            await take(subscription, 1)
        await bus.publish(NORMAL, [record("meanwhile")])
        async with bus.subscribe(NORMAL, "new") as new, bus.subscribe(NORMAL, "known") as known:
            await bus.publish(NORMAL, [record("last")])
            assert sorted(await take(known, 2)) == ["last", "meanwhile"]
            assert await take(new, 1) == ["last"]


async def test_unsettled_records_go_to_another_member(harness):
    async with harness.open() as bus:
        async with bus.subscribe(NORMAL, "routers") as subscription:
            await bus.publish(NORMAL, [record("kept")])
            with trio.fail_after(15):
                await subscription.receive()
        async with harness.open() as other_bus, other_bus.subscribe(NORMAL, "routers") as other:
            assert await take(other, 1, within_s=30) == ["kept"]


async def test_a_member_killed_before_its_ack_loses_nothing(lasting_harness, doomed_consumer):
    harness = lasting_harness
    async with harness.open() as bus:
        async with doomed_consumer(harness.settings, NORMAL) as doomed:
            await bus.publish(NORMAL, [record("kept")])
            assert await doomed() == ["kept"]
        async with bus.subscribe(NORMAL, "routers") as subscription:
            assert await take(subscription, 1, within_s=60) == ["kept"]


async def test_retried_records_come_again_and_count(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        await bus.publish(NORMAL, [record("later")])
        with trio.fail_after(15):
            first = await subscription.receive()
            await first.retry()
            second = await subscription.receive()
        assert (first.attempt, second.attempt) == (1, 2)
        assert [r.header.id for r in second.records] == ["later"]
        await second.ack()
        assert await nothing_more(subscription)
        assert bus.counters[NORMAL].retried == 1


async def test_a_retried_delivery_does_not_hold_up_others(harness):
    async with (
        harness.open(backoff_first_s=0.5) as bus,
        bus.subscribe(NORMAL, "routers") as subscription,
    ):
        await bus.publish(NORMAL, [record("poor")])
        with trio.fail_after(15):
            await (await subscription.receive()).retry()
        await bus.publish(NORMAL, [record("fine")])
        assert await take(subscription, 2) == ["fine", "poor"]


async def test_too_many_attempts_end_on_the_dead_letter_topic(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        await bus.publish(NORMAL, [record("poison")])
        with trio.fail_after(30):
            for attempt in (1, 2, 3):
                delivery = await subscription.receive()
                assert delivery.attempt == attempt
                await delivery.retry()
            (letter,) = await harness.dead_letters(NORMAL, 1)
        assert (letter.topic, letter.group, letter.attempts) == ("normal", "routers", 3)
        assert "3 attempts" in letter.reason
        assert b'"poison"' in letter.body
        assert await nothing_more(subscription)


async def test_bury_keeps_the_records_and_goes_on(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        await bus.publish(NORMAL, [record("bad", bytes(MAX_RECORD_BODY_BYTES))])
        with trio.fail_after(30):
            delivery = await subscription.receive()
            await delivery.bury("made no sense")
            (letter,) = await harness.dead_letters(NORMAL, 1)
        assert letter.reason == "made no sense"
        assert b'"bad"' in letter.body
        await bus.publish(NORMAL, [record("good")])
        assert await take(subscription, 1) == ["good"]
        assert bus.counters[NORMAL].buried == 1


async def test_a_delivery_is_settled_once(harness):
    async with harness.open() as bus, bus.subscribe(NORMAL, "routers") as subscription:
        await bus.publish(NORMAL, [record("once")])
        with trio.fail_after(15):
            delivery = await subscription.receive()
        await delivery.ack()
        await delivery.retry()
        await delivery.bury("no")
        assert await nothing_more(subscription)
        assert bus.counters[NORMAL].buried == bus.counters[NORMAL].retried == 0


@pytest.mark.parametrize("consumption", ["clustering", "broadcasting"])
async def test_an_unreadable_body_is_buried_and_counted(harness, consumption):
    async with harness.open() as bus:
        subscribe = bus.subscribe if consumption == "clustering" else bus.subscribe_broadcast
        async with subscribe(NORMAL, "routers") as subscription:
            await harness.plant(NORMAL, b"what is this?")
            await bus.publish(NORMAL, [record("fine")])
            assert await take(subscription, 1) == ["fine"]
            with trio.fail_after(30):
                (letter,) = await harness.dead_letters(NORMAL, 1)
            assert letter.body == b"what is this?"
            assert letter.reason.startswith("unreadable: does not start")
            assert bus.counters[NORMAL].unreadable == 1


async def test_a_slow_consumer_is_given_a_bounded_number(harness):
    async with (
        harness.open(in_flight=4) as bus,
        bus.subscribe(NORMAL, "routers") as subscription,
    ):
        for n in range(12):
            await bus.publish(NORMAL, [record(n)])
        with trio.fail_after(15):
            held = [await subscription.receive() for _ in range(4)]
        assert await nothing_more(subscription)
        assert bus.counters[NORMAL].in_flight == 4
        for delivery in held:
            await delivery.ack()
        assert len(await take(subscription, 8)) == 8


async def test_lag_counts_what_waits_at_the_broker(harness):
    async with (
        harness.open(in_flight=1) as bus,
        bus.subscribe(NORMAL, "routers") as subscription,
    ):
        assert await subscription.lag() == 0
        for n in range(10):
            await bus.publish(NORMAL, [record(n)])
        with trio.fail_after(15):
            held = await subscription.receive()
            while not 5 <= await subscription.lag() <= 10:
                await trio.sleep(0.05)
        assert bus.counters[NORMAL].lag >= 5
        await held.ack()
        await take(subscription, 9)
        with trio.fail_after(30):
            while await subscription.lag() > 0:
                await trio.sleep(0.05)


async def test_lag_of_a_broadcast_consumer(harness):
    async with (
        harness.open(in_flight=1) as bus,
        bus.subscribe_broadcast(NORMAL, "relay") as subscription,
    ):
        for n in range(10):
            await bus.publish(NORMAL, [record(n)])
        with trio.fail_after(15):
            while not 5 <= await subscription.lag() <= 10:
                await trio.sleep(0.05)
            await take(subscription, 10)
            while await subscription.lag() > 0:
                await trio.sleep(0.05)


async def test_publishing_to_a_dead_broker_fails_in_time(harness):
    async with harness.open(publish_timeout_s=0.6) as bus:
        async with bus.subscribe(NORMAL, "routers"):
            await bus.publish(NORMAL, [record("before")])
        harness.stop()
        try:
            with trio.fail_after(3), pytest.raises(BusUnavailableError, match="normal"):
                await bus.publish(NORMAL, [record("lost?")])
            assert bus.counters[NORMAL].publish_failures == 1
        finally:
            harness.start()


async def test_a_full_outbox_makes_publishers_wait(harness):
    async with harness.open(outbox_records=5, publish_timeout_s=0.6) as bus:
        async with bus.subscribe(NORMAL, "routers"):
            await bus.publish(NORMAL, [record("before")])
        harness.stop()
        failed = []

        async def publish(n: int) -> None:
            with pytest.raises(BusUnavailableError):
                await bus.publish(NORMAL, [record(n)])
            failed.append(n)

        try:
            async with trio.open_nursery() as nursery:
                for n in range(20):
                    nursery.start_soon(publish, n)
                await trio.sleep(0.2)
                assert bus.counters[NORMAL].waiting <= 5 + 1
            assert len(failed) == 20
        finally:
            harness.start()


async def test_a_broker_killed_and_restarted_loses_nothing_confirmed(harness):
    async with (
        harness.open(publish_timeout_s=10) as bus,
        bus.subscribe(NORMAL, "routers") as subscription,
        bus.subscribe_broadcast(NORMAL, "relay") as broadcast,
    ):
        kept: list[str] = []

        async def publish() -> None:
            for n in range(200):
                await publish_until_kept(bus, NORMAL, [record(n)])
                kept.append(str(n))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            early = await take(subscription, 50)
            harness.stop()
            await trio.sleep(0.3)
            harness.start()
        assert len(kept) == 200
        within_s = harness.crash_recovery_s
        seen = set(early)
        with trio.fail_after(within_s):
            while not seen >= set(kept):
                seen |= set(await take(subscription, 1, within_s))
        assert len(await take(broadcast, 200, within_s)) == 200
