import random

import pytest
import trio
from trio.testing import MockClock

from access.metrics import AccessCollector
from access.settings import EdgeSettings, ImSettings, Settings
from proto.close_codes import CloseCode
from proto.errors import ErrorCode, RequestError
from proto.services import Method
from proto.token_settings import TokenSettings
from tests.access.cluster import SECRET, MakeWorld, World, token
from tests.access.im.phone import DIRECT, Phone

BOTH = ["ann", "bob"]


def say(world: World, *, lost: bool = False, uids: list[str] | None = None) -> int:
    """Keep a message for ann (and others) and push it, if it is not lost; returns ann's number."""
    uids = uids or ["ann"]
    frame = world.mesh.im.direct(DIRECT, uids)
    numbers = {uid: len(world.mesh.im.mailboxes[uid]) for uid in uids}
    if not lost:
        world.mesh.numbered(numbers, frame)
    return numbers[uids[0]]


async def test_a_hello_with_im_is_answered_with_where_the_mailbox_is(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        say(world)
    phone = Phone(world)
    assert await phone.hello() == {
        "epoch": "d1",
        "head": 3,
        "start": 3,
        "standing": "level",
        "hot": {},
    }
    (asked,) = world.mesh.asked_for(Method.OPEN)
    assert asked.facts["uid"] == "ann"
    (routes,) = await world.store.routes.lookup(["ann"])
    assert [route.device for route in routes] == ["phone"]


async def test_a_push_comes_with_its_number_and_is_forgotten_when_acknowledged(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world)
    (push,) = phone.client.pushes("message")
    assert (push["stream"], push["n"], push["conv"], push["seq"]) == ("mailbox", 1, DIRECT, 1)
    assert world.node.messaging.counters.in_flight == 1
    phone.take()
    assert world.node.messaging.counters.in_flight == 0
    assert world.node.messaging.counters.in_flight_bytes == 0
    await world.settle(60)
    phone.take()
    assert phone.frames == 1


async def test_each_device_of_a_user_has_a_window_of_its_own(
    world: World, autojump_clock: MockClock
) -> None:
    phone, tablet = Phone(world), Phone(world, device="tablet")
    await phone.hello()
    await tablet.hello()
    plain = world.client()
    await plain.hello("ann")
    say(world)
    phone.take()
    assert world.node.messaging.counters.in_flight == 1
    await tablet.live(0.1)
    assert (phone.got, tablet.got) == ({"mailbox": [1]}, {"mailbox": [1]})
    assert plain.pushes("message") == []


async def test_what_a_device_missed_is_pushed_from_where_it_was(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world)
    await phone.live(0.1)
    world.edge.hang_up(phone.client.connection)
    for _ in range(150):
        say(world)
    await phone.again()
    say(world)
    await phone.live(3)
    assert phone.got["mailbox"] == list(range(1, 153))
    pages = world.mesh.asked_for(Method.SYNC)
    assert len(pages) == 5


async def test_a_lost_push_is_fetched_when_the_next_comes(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world, lost=True)
    say(world)
    await phone.live(0.2)
    assert phone.got["mailbox"] == [1, 2]
    assert len(world.mesh.asked_for(Method.SYNC)) == 1


async def test_pushes_that_overtake_each_other_are_put_in_order_without_a_question(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    frames = [world.mesh.im.direct(DIRECT, ["ann"]) for _ in range(4)]
    for n in (3, 1, 4, 4, 2, 1):
        world.mesh.numbered({"ann": n}, frames[n - 1])
    await phone.live(1)
    assert phone.got["mailbox"] == [1, 2, 3, 4]
    assert phone.frames == 4
    assert world.mesh.asked_for(Method.SYNC) == []
    assert world.node.messaging.counters.duplicates == 2


async def test_a_lost_push_without_another_behind_it_is_found_by_asking_for_the_end(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world, lost=True)
    await phone.live(4)
    assert phone.got["mailbox"] == [1]
    assert world.node.messaging.counters.tails_behind == 1


async def test_the_end_is_asked_for_soon_when_a_relay_is_lost(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(im=ImSettings(tails_s=60))
    phone = Phone(world)
    await phone.hello()
    await world.settle(1)
    say(world, lost=True)
    world.mesh.changes += 1
    await phone.live(10)
    assert phone.got["mailbox"] == [1]


async def test_a_push_between_the_route_and_the_answer_is_not_lost(
    world: World, autojump_clock: MockClock
) -> None:
    head_was_read = trio.Event()
    go_on = trio.Event()

    async def hold(method: Method) -> None:
        if method is Method.OPEN:
            head_was_read.set()
            await go_on.wait()
        if method is Method.SYNC:
            world.mesh.im.mailboxes["ann"].append(world.mesh.im.direct(DIRECT, []))

    phone = Phone(world)
    world.mesh.before_answer = hold
    async with trio.open_nursery() as nursery:
        nursery.start_soon(phone.hello)
        await head_was_read.wait()
        (route,) = (await world.store.routes.lookup(["ann"]))[0]
        assert route.device == "phone"
        # The answer of before knows nothing of it.
        frame = world.mesh.im.direct(DIRECT, [])
        world.mesh.numbered({"ann": 1}, frame)
        go_on.set()
    await phone.live(0.5)
    assert phone.got["mailbox"] == [1]


async def test_what_is_in_flight_is_bounded_and_the_rest_comes_as_acks_make_room(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(im=ImSettings(in_flight=8, tails_s=60))
    phone = Phone(world)
    await phone.hello()
    for _ in range(100):
        say(world)
        assert world.node.messaging.counters.in_flight <= 8
    phone.take(ack=False)
    assert phone.got["mailbox"] == list(range(1, 9))
    await phone.live(10)
    assert phone.got["mailbox"] == list(range(1, 101))
    assert phone.frames == 100


async def test_bytes_in_flight_are_bounded_over_all_streams(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(im=ImSettings(in_flight_bytes=1024, tails_s=60))
    phone = Phone(world)
    await phone.hello()
    for _ in range(50):
        say(world)
        assert world.node.messaging.counters.in_flight_bytes <= 1024
    await phone.live(10)
    assert phone.got["mailbox"] == list(range(1, 51))


async def test_a_client_that_loses_what_it_has_read_gets_it_again(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    phone.loses = random.Random(1)
    for _ in range(50):
        say(world)
        await phone.live(0.1)
    await phone.live(120)
    assert phone.got["mailbox"] == list(range(1, 51))
    assert world.node.messaging.counters.resends > 0
    assert phone.client.connection.closed_with is None


async def test_a_client_that_never_acknowledges_is_closed_and_resumes(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    for _ in range(200):
        say(world)
    await world.settle(46)
    assert phone.client.connection.closed_with is None
    await world.settle(10)
    assert phone.client.connection.closed_with == CloseCode.UNACKNOWLEDGED
    assert world.node.messaging.counters.dead == 1
    assert world.node.messaging.counters.in_flight == 0
    phone.take(ack=False)
    assert set(phone.got["mailbox"]) == set(range(1, 65))
    phone.got, phone.positions["mailbox"] = {}, 0
    await phone.again()
    await phone.live(5)
    assert phone.got["mailbox"] == list(range(1, 201))


async def test_nothing_is_sent_again_while_the_socket_is_stalled(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world)
    phone.client.connection.queued_bytes = 100_000
    await world.settle(100)
    assert world.node.messaging.counters.resends == 0
    assert phone.client.connection.closed_with is None
    phone.client.connection.queued_bytes = 0
    await world.settle(2)
    assert world.node.messaging.counters.resends == 1


async def test_an_ack_for_what_was_never_sent_is_a_bad_frame_without_a_request(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world)
    phone.acknowledge("mailbox", 2)
    phone.acknowledge("mailbox", 0, [[1, 2]])
    phone.acknowledge("mailbox", 0, [[1, 0]])
    phone.acknowledge("hot:g:g1", 1)
    errors = [reply["error"] for reply in phone.client.replies(None)]
    assert [error["code"] for error in errors] == ["bad_frame"] * 4
    assert [error["field"] for error in errors] == ["n", "also[0]", "also[0]", "stream"]
    for _ in range(20):
        phone.acknowledge("mailbox", 2)
    assert phone.client.connection.closed_with == CloseCode.TOO_MANY_ERRORS


async def test_acks_of_many_messages_one_by_one_are_not_too_many_frames(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    for n in range(1, 1001):
        say(world)
        phone.acknowledge("mailbox", n)
    assert phone.client.replies(None) == []
    for _ in range(1000):
        phone.acknowledge("mailbox", 1000)
    codes = {reply["error"]["code"] for reply in phone.client.replies(None)}
    assert codes == {"rate_limited"}
    assert phone.client.connection.closed_with == CloseCode.TOO_MANY_ERRORS


async def test_an_ack_without_im_is_a_bad_frame(world: World, autojump_clock: MockClock) -> None:
    client = world.client()
    await client.hello("ann")
    client.raw(b'{"op":"ack","stream":"mailbox","n":0}')
    (reply,) = client.replies(None)
    assert (reply["error"]["code"], reply["error"]["field"]) == ("bad_frame", "op")


async def test_a_long_absence_is_answered_behind_and_only_new_messages_are_pushed(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world)
    await phone.live(0.1)
    world.edge.hang_up(phone.client.connection)
    for _ in range(2000):
        say(world, lost=True)
    answer = await phone.again()
    assert (answer["standing"], answer["start"], answer["head"]) == ("behind", 2001, 2001)
    say(world)
    await phone.live(1)
    assert phone.got["mailbox"] == [1, 2002]
    assert world.mesh.asked_for(Method.SYNC) == []


async def test_a_client_that_pages_acknowledges_behind_what_it_is_pushed(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    for _ in range(2000):
        say(world, lost=True)
    world.edge.hang_up(phone.client.connection)
    phone.positions["mailbox"] = 0
    await phone.again()
    say(world)
    phone.acknowledge("mailbox", 200, [[2001, 2001]])
    await world.settle(1.5)
    assert world.node.messaging.counters.in_flight == 0
    assert [c.n for c in world.mesh.im.cursors if c.stream] == [200]


async def test_where_the_database_is_away_the_connection_works_without_instant_messages(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no database")
    phone = Phone(world)
    answer = await phone.hello()
    world.mesh.down = None
    assert answer["error"]["code"] == "unavailable"
    say(world)
    assert phone.client.pushes("message") == []
    assert "ok" in await phone.client.ask("ping")
    assert len(world.node.messaging.devices) == 0


async def test_the_same_device_again_closes_the_older_connection(
    world: World, autojump_clock: MockClock
) -> None:
    older, newer = Phone(world), Phone(world)
    await older.hello()
    await newer.hello()
    assert older.client.connection.closed_with == CloseCode.REPLACED
    say(world)
    await newer.live(2)
    assert newer.got["mailbox"] == [1]
    assert len(world.node.messaging.devices) == 1
    assert not any(cursor.gone for cursor in world.mesh.im.cursors)


async def test_of_many_devices_of_one_user_twenty_are_taken(
    world: World, autojump_clock: MockClock
) -> None:
    for index in range(29):
        client = world.client()
        client.send("hello", token=_TOKEN, im={"device": f"d{index}"})
    await world.settle(1)
    assert len(world.node.messaging.devices) == 20
    assert len(world.mesh.asked_for(Method.OPEN)) == 20
    answer = await Phone(world, device="one-more").hello()
    assert answer["error"]["code"] == "too_many_devices"


async def test_acks_are_reported_merged_and_a_connection_that_ends_is_gone(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    for _ in range(10):
        say(world)
        phone.take()
    await world.settle(1.5)
    reported = [(c.device, c.stream, c.n) for c in world.mesh.im.cursors if c.stream]
    assert reported == [("phone", "mailbox", 10)]
    world.mesh.im.cursors.clear()
    world.mesh.failures.append(RequestError(ErrorCode.TIMEOUT))
    world.edge.hang_up(phone.client.connection)
    await world.settle(3)
    assert [(c.device, c.gone) for c in world.mesh.im.cursors] == [("phone", True)]


async def test_every_device_is_said_to_live_each_twenty_seconds(
    world: World, autojump_clock: MockClock
) -> None:
    for index in range(5):
        await Phone(world, device=f"d{index}").hello()
    await world.settle(45)
    beats = [c.device for c in world.mesh.im.cursors]
    assert sorted(set(beats)) == [f"d{index}" for index in range(5)]
    assert 10 <= len(beats) <= 15


async def test_a_new_numbering_closes_the_connection_so_that_it_begins_anew(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    for _ in range(5):
        say(world)
    await phone.live(0.1)
    world.mesh.im.mailboxes.clear()
    world.mesh.im.epoch = "d2"
    await world.settle(10)
    assert phone.client.connection.closed_with == CloseCode.RESTARTING
    assert (await phone.again())["standing"] == "reset"


async def test_pages_of_several_devices_at_one_place_are_asked_for_once(
    world: World, autojump_clock: MockClock
) -> None:
    phones = [Phone(world, device=f"d{index}") for index in range(10)]
    for phone in phones:
        await phone.hello()
    for _ in range(20):
        say(world, lost=True)
    say(world)
    for _ in range(5):
        for phone in phones:
            await phone.live(0.1)
    assert all(phone.got["mailbox"] == list(range(1, 22)) for phone in phones)
    assert len(world.mesh.asked_for(Method.SYNC)) == 1


async def test_a_page_that_does_not_come_is_asked_for_again(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no database", retry_after_ms=1000)
    say(world, lost=True)
    say(world)
    await phone.live(30)
    assert phone.got == {}
    assert len(world.mesh.asked_for(Method.SYNC)) < 30
    world.mesh.down = None
    await phone.live(5)
    assert phone.got["mailbox"] == [1, 2]


async def test_numbers_that_the_mailbox_no_longer_has_are_passed_over(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    for _ in range(10):
        say(world, lost=True)
    world.mesh.im.oldest["ann"] = 6
    say(world)
    await world.settle(1)
    assert [f["n"] for f in phone.client.pushes("message")] == list(range(6, 12))


async def test_what_is_not_stored_goes_only_to_connections_that_take_instant_messages(
    world: World, autojump_clock: MockClock
) -> None:
    phone, plain = Phone(world), world.client()
    await phone.hello()
    await plain.hello("ann")
    world.mesh.users("t1", ["ann"], b'{"push":"typing","conv":"d:ann|bob","uid":"bob","on":true}')
    world.mesh.users("d1", ["ann"], b'{"push":"direct","mid":"m","ts":1,"trace":"t","data":1}')
    assert [f["push"] for f in phone.client.pushes()] == ["typing", "direct"]
    assert [f["push"] for f in plain.pushes()] == ["direct"]


async def test_one_envelope_for_ten_thousand_reaches_those_that_are_here(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    frame = world.mesh.im.direct(DIRECT, ["ann"])
    numbers = {f"u{index}": 7 for index in range(999)} | {"ann": 1}
    world.mesh.numbered(numbers, frame)
    world.mesh.numbered({f"u{index}": 7 for index in range(999)}, frame)
    assert [f["n"] for f in phone.client.pushes("message")] == [1]
    assert world.node.messaging.counters.elsewhere == 1


_TOKEN = token()


async def test_metrics_and_the_status_tell_what_happened(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    say(world)
    say(world, lost=True)
    say(world)
    await world.settle(2)
    values = {
        sample.name.removeprefix("relaymesh_access_im_"): sample.value
        for metric in AccessCollector(world.node).collect()
        for sample in metric.samples
    }
    assert (values["devices"], values["in_flight"], values["in_flight_bytes"] > 0) == (1, 3, True)
    assert (values["opens_total"], values["sent_total"], values["syncs_total"]) == (1, 3, 1)
    assert values["resends_total"] == 3
    assert world.node.status.now()["im"]["in_flight"] == 3


def test_what_may_be_in_flight_is_less_than_what_closes_a_slow_reader() -> None:
    with pytest.raises(ValueError, match=r"im\.in_flight_bytes: expected at most half of"):
        Settings(tokens=TokenSettings(secret=SECRET), edge=EdgeSettings(max_queued_bytes=64 * 1024))
