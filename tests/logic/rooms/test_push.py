import json

import pytest
import trio

from proto.errors import ErrorCode, RequestError
from proto.services import Method, PushBody
from proto.topics import Topic


def push(**fields):
    defaults = {"mid": "m1", "priority": "normal", "data": b'{"sale":1}'}
    return PushBody(**(defaults | fields))


async def as_server(ask, logic, body):
    return await ask(logic, Method.PUSH, body, role="server", uid="shop", room="")


async def refused(ask, logic, body, **header):
    with pytest.raises(RequestError) as caught:
        await ask(logic, Method.PUSH, body, **({"role": "server"} | header))
    return caught.value.body


@pytest.mark.parametrize("priority", ["urgent", "normal", "bulk"])
async def test_a_notice_goes_to_the_room_as_the_back_end_said(
    autojump_clock, ask, world, running, priority
):
    logic, _ = await running()
    data = b'{"a": [1, 2.0],  "b":null}'
    body = push(room="a", priority=priority, data=data)
    ok = await as_server(ask, logic, body)
    assert (ok["room"], ok["priority"], ok["seq"], ok["mid"]) == ("a", priority, 1, "m1")
    await trio.testing.wait_all_tasks_blocked(0.01)
    (record,) = world.records(Topic(priority))
    assert b'"data":' + data in record.body
    assert json.loads(record.body)["push"] == "notice"
    assert await as_server(ask, logic, body) == ok
    assert len(world.records(Topic(priority))) == 1


async def test_users_get_records_of_a_thousand(autojump_clock, ask, world, logic):
    uids = [f"u{i}" for i in range(2500)]
    ok = await as_server(ask, logic, push(uids=uids, priority="urgent"))
    assert (ok["mid"], ok["uids"]) == ("m1", 2500)
    records = world.records(Topic.URGENT)
    assert [len(record.header.uids) for record in records] == [1000, 1000, 500]
    assert [uid for record in records for uid in record.header.uids] == uids
    assert len({record.header.id for record in records}) == 3
    assert len({record.body for record in records}) == 1
    assert json.loads(records[0].body) == {
        "push": "direct",
        "mid": "m1",
        "ts": ok["ts"],
        "trace": "t1",
        "data": {"sale": 1},
    }


async def test_a_repeated_push_to_users_gets_the_first_answer(autojump_clock, ask, world, logic):
    first = await as_server(ask, logic, push(uids=["u1"]))
    await trio.sleep(5)
    assert await as_server(ask, logic, push(uids=["u1"])) == first
    assert len(world.records(Topic.NORMAL)) == 1


async def test_users_are_answered_only_when_the_bus_keeps_it(autojump_clock, ask, world, logic):
    world.broker.stop()
    error = await refused(ask, logic, push(uids=["u1"]))
    assert error.code is ErrorCode.UNAVAILABLE
    world.broker.start()
    await as_server(ask, logic, push(uids=["u1"]))
    assert {record.header.uids for record in world.records(Topic.NORMAL)} == {("u1",)}


async def test_the_largest_push_fits_the_bus(autojump_clock, ask, world, logic):
    uids = [f"{i:064}" for i in range(2000)]
    await as_server(ask, logic, push(uids=uids, data=b'"' + b"x" * (60 * 1024 - 2) + b'"'))
    assert len(world.records(Topic.NORMAL)) == 2


@pytest.mark.parametrize("role", ["viewer", "host", ""])
async def test_only_back_ends_push(autojump_clock, ask, logic, role):
    assert (await refused(ask, logic, push(room="a"), role=role)).code is ErrorCode.FORBIDDEN


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({}, ErrorCode.BAD_FRAME, "room"),
        ({"room": "a", "uids": ["u"]}, ErrorCode.BAD_FRAME, "room"),
        ({"room": "no room"}, ErrorCode.BAD_FRAME, "room"),
        ({"room": "a", "mid": "no mid"}, ErrorCode.BAD_FRAME, "mid"),
        ({"room": "a", "priority": "high"}, ErrorCode.BAD_FRAME, "priority"),
        ({"room": "a", "data": b'{"a":1'}, ErrorCode.BAD_FRAME, "data"),
        ({"room": "a", "data": b'1,"seq":9'}, ErrorCode.BAD_FRAME, "data"),
        ({"room": "a", "data": b'"\xff"'}, ErrorCode.BAD_FRAME, "data"),
        ({"room": "a", "data": b'"' + b"x" * 70_000 + b'"'}, ErrorCode.TOO_LARGE, "data"),
        ({"uids": ["ok", "not ok"]}, ErrorCode.BAD_FRAME, "uids[1]"),
        ({"uids": ["u"] * 20_001}, ErrorCode.TOO_LARGE, "uids"),
    ],
)
async def test_what_is_refused(autojump_clock, ask, logic, fields, code, field):
    error = await refused(ask, logic, push(**fields))
    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x90", b"\x93\x01\x02\x03"])
async def test_a_body_that_can_not_be_read(autojump_clock, ask, logic, body):
    assert (await refused(ask, logic, body)).code is ErrorCode.BAD_FRAME
