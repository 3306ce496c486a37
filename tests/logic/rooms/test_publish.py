import json

import pytest
import trio

from backends.errors import StoreOverloadedError
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method
from proto.topics import Topic
from tests.gifts import receipt_for

START_MS = 1_790_000_000_000
TEXT = 'é"\\\n\u2028😀</script>\x7f'


async def refused(ask, logic, *args, **header):
    with pytest.raises(RequestError) as caught:
        await ask(logic, *args, **header)
    return caught.value.body


async def test_a_chat_is_kept_answered_and_put_on_the_bus(autojump_clock, ask, world, running):
    logic, _ = await running()
    await trio.sleep(0.5)
    ok = await ask(logic, Method.PUBLISH, {"op": "chat", "text": TEXT, "mid": "m1"})
    epoch = (await world.room_log.heads("a")).epoch
    assert ok == {
        "room": "a",
        "priority": "normal",
        "epoch": epoch,
        "seq": 1,
        "ts": START_MS + 500,
        "mid": "m1",
    }
    await trio.testing.wait_all_tasks_blocked(0.01)
    (record,) = world.records(Topic.NORMAL)
    assert record.header.id == f"a/normal/{epoch}/1"
    assert (record.header.kind, record.header.room, record.header.priority) == (
        "room",
        "a",
        "normal",
    )
    assert (record.header.epoch, record.header.seq, record.header.ts_ms, record.header.trace) == (
        epoch,
        1,
        START_MS + 500,
        "t1",
    )
    assert list(json.loads(record.body).items()) == [
        ("epoch", epoch),
        ("seq", 1),
        ("push", "chat"),
        ("room", "a"),
        ("priority", "normal"),
        ("uid", "ann"),
        ("name", "Ann"),
        ("role", "viewer"),
        ("text", TEXT),
        ("mid", "m1"),
        ("ts", START_MS + 500),
        ("trace", "t1"),
    ]
    assert logic.counters.published == {("chat", Priority.NORMAL): 1}


async def test_what_the_log_keeps_is_what_the_bus_carries(autojump_clock, ask, world, running):
    logic, _ = await running()
    await ask(logic, Method.PUBLISH, {"op": "speech", "text": "hear"}, role="host")
    await trio.testing.wait_all_tasks_blocked(0.01)
    (record,) = world.records(Topic.URGENT)
    from proto.services import FetchBody

    answer = await world.room_log.fetch("a", FetchBody(0, record.header.epoch, 1, 0))
    assert answer.frames == [(1, record.body)]


async def test_a_gift_names_what_was_given(autojump_clock, ask, world, running):
    logic, _ = await running()
    paid = {"gift": "rocket", "value": 500, "count": 2}
    gift = {"op": "gift", "receipt": receipt_for(START_MS / 1000, **paid)} | paid
    ok = await ask(logic, Method.PUBLISH, gift)
    assert ok["priority"] == "urgent"
    assert ok["mid"]
    await trio.testing.wait_all_tasks_blocked(0.01)
    (record,) = world.records(Topic.URGENT)
    pushed = json.loads(record.body)
    assert (pushed["push"], pushed["gift"], pushed["value"], pushed["count"]) == (
        "gift",
        "rocket",
        500,
        2,
    )
    assert pushed["mid"] == ok["mid"]


async def test_the_same_mid_gets_the_first_answer_and_is_published_once(
    autojump_clock, ask, world, running
):
    logic, _ = await running()
    first = await ask(logic, Method.PUBLISH, {"op": "chat", "text": "one", "mid": "m1"})
    await trio.sleep(2)
    again = await ask(logic, Method.PUBLISH, {"op": "chat", "text": "two", "mid": "m1"})
    assert again == first
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(world.records(Topic.NORMAL)) == 1
    assert logic.counters.repeated == 1


async def test_urgent_is_limited_per_uid_over_all_instances(autojump_clock, ask, world):
    one, two = world.logic(), world.logic()
    for i in range(10):
        await ask(one if i % 2 else two, Method.PUBLISH, {"op": "speech", "text": "x"}, role="host")
    receipt = receipt_for(START_MS / 1000, gift="g", value=5000)
    gift = {"op": "gift", "gift": "g", "value": 5000, "receipt": receipt}
    error = await refused(ask, one, Method.PUBLISH, gift, role="viewer")
    assert (error.code, error.retry_after_ms) == (ErrorCode.RATE_LIMITED, 200)
    assert one.counters.rate_limited == 1
    await ask(one, Method.PUBLISH, {"op": "chat", "text": "not urgent"})
    await ask(one, Method.PUBLISH, {"op": "speech", "text": "x"}, role="host", uid="bob")
    await trio.sleep(0.2)
    await ask(one, Method.PUBLISH, {"op": "speech", "text": "x"}, role="host")


@pytest.mark.parametrize(
    ("body", "header", "code"),
    [
        (b"", {}, ErrorCode.BAD_FRAME),
        (b"\xff", {}, ErrorCode.BAD_FRAME),
        (b"[]", {}, ErrorCode.BAD_FRAME),
        (b'{"op":"chat","id":1,"room":"a","text":"\xff"}', {}, ErrorCode.BAD_FRAME),
        ({"op": "like", "count": 1}, {}, ErrorCode.BAD_FRAME),
        ({"op": "chat", "text": "x", "priority": "urgent"}, {}, ErrorCode.BAD_FRAME),
        ({"op": "gift", "gift": "g", "value": -1}, {}, ErrorCode.BAD_FRAME),
        ({"op": "chat", "text": "x"}, {"room": "b", "role": "host"}, ErrorCode.BAD_FRAME),
        ({"op": "speech", "text": "x"}, {}, ErrorCode.FORBIDDEN),
    ],
)
async def test_what_is_refused(autojump_clock, ask, world, logic, body, header, code):
    assert (await refused(ask, logic, Method.PUBLISH, body, **header)).code is code
    assert (await world.room_log.heads("a")).seqs == (0, 0, 0)
    assert logic.dispatch.errors[code] == 1


async def test_a_store_that_is_away_is_unavailable_and_a_retry_is_safe(
    autojump_clock, ask, world, logic
):
    world.room_log.away = True
    chat = {"op": "chat", "text": "x", "mid": "m1"}
    error = await refused(ask, logic, Method.PUBLISH, chat)
    assert error.code is ErrorCode.UNAVAILABLE
    assert error.retry_after_ms > 0
    world.room_log.away = False
    assert (await ask(logic, Method.PUBLISH, chat))["seq"] == 1


async def test_a_full_store_queue_is_overloaded(autojump_clock, ask, world, logic):
    world.room_log.away, world.room_log.error = True, StoreOverloadedError("full")
    error = await refused(ask, logic, Method.PUBLISH, {"op": "chat", "text": "x"})
    assert error.code is ErrorCode.OVERLOADED
    assert error.retry_after_ms > 0


async def test_the_answer_does_not_wait_for_the_bus(autojump_clock, ask, world, running):
    logic, _ = await running()
    world.broker.stop()
    began = trio.current_time()
    for i in range(3):
        await ask(logic, Method.PUBLISH, {"op": "chat", "text": "x", "mid": f"m{i}"})
    assert trio.current_time() == began
    await trio.sleep(30)
    assert logic.outgoing.depth(Priority.NORMAL) == 3
    world.broker.start()
    await trio.sleep(10)
    # One that was given up by the bus and tried again keeps its order.
    assert [record.header.seq for record in world.records(Topic.NORMAL)] == [1, 2, 3]


async def test_a_method_that_logic_does_not_have(autojump_clock, ask, logic):
    error = await refused(ask, logic, "no_such_method")
    assert (error.code, error.field) == (ErrorCode.BAD_FRAME, "method")
