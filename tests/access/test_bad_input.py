import json
from typing import Any

import jwt
import pytest
import trio
from trio.testing import MockClock

from proto import envelopes
from proto.close_codes import CloseCode
from proto.envelopes import Kind
from proto.priorities import Priority
from proto.services import Method
from tests.access.cluster import NOW_MS, SECRET, Client, World, one_envelope, token

GOOD_CLAIMS = {"sub": "ann", "exp": NOW_MS // 1000 + 60, "aud": "relaymesh"}

BAD_FRAMES = [
    (b"", "bad_json", None, ""),
    (b"[]", "bad_json", None, ""),
    (b'"hello"', "bad_json", None, ""),
    (b'{"op":"ping","id":1', "bad_json", None, ""),
    (b"[" * 5000, "bad_json", None, ""),
    (b'{"op":"ping"}', "bad_frame", None, "id"),
    (b'{"op":"ping","id":-1}', "bad_frame", None, "id"),
    (b'{"op":"ping","id":"1"}', "bad_frame", None, "id"),
    (b'{"op":"ping","id":9007199254740992}', "bad_frame", None, "id"),
    (b'{"id":7}', "bad_frame", 7, "op"),
    (b'{"op":5,"id":7}', "bad_frame", 7, "op"),
    (b'{"op":"dance","id":7}', "unknown_op", 7, "op"),
    (b'{"op":"ping","id":7,"extra":1}', "bad_frame", 7, "extra"),
    (b'{"op":"chat","id":7,"room":"lobby"}', "bad_frame", 7, "text"),
    (b'{"op":"chat","id":7,"room":"lobby","text":""}', "bad_frame", 7, "text"),
    (b'{"op":"chat","id":7,"room":"lobby","text":5}', "bad_frame", 7, "text"),
    (b'{"op":"chat","id":7,"room":"a b","text":"x"}', "bad_frame", 7, "room"),
    (b'{"op":"chat","id":7,"room":"lobby\\n","text":"x"}', "bad_frame", 7, "room"),
    (b'{"op":"chat","id":7,"room":"lobby","text":"x","mid":"?"}', "bad_frame", 7, "mid"),
    (b'{"op":"like","id":7,"room":"lobby","count":-1}', "bad_frame", 7, "count"),
    (b'{"op":"like","id":7,"room":"lobby","count":1000000000000}', "bad_frame", 7, "count"),
    (b'{"op":"like","id":7,"room":"lobby","count":1.5}', "bad_frame", 7, "count"),
    (b'{"op":"gift","id":7,"room":"lobby","gift":"x","value":-1}', "bad_frame", 7, "value"),
    (b'{"op":"chat","id":7,"room":"lobby","text":"x","priority":"urgent"}', "bad_frame", 7,
     "priority"),
    (b'{"op":"join","id":7,"room":"r","history":101}', "bad_frame", 7, "history"),
    (b'{"op":"join","id":7,"room":"r","since":{"loud":{"epoch":"e","seq":1}}}', "bad_frame", 7,
     "since"),
    (b'{"op":"join","id":7,"room":"r","since":{"bulk":{"epoch":"e","seq":-1}}}', "bad_frame", 7,
     "since[...].seq"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "reply_to", "field"), BAD_FRAMES)
async def test_a_bad_frame_gets_its_error_and_harms_nobody(
    world: World, ann: Client, autojump_clock: MockClock, text: bytes, code: str,
    reply_to: int | None, field: str,
) -> None:  # fmt: skip
    asked = len(world.mesh.asked)
    ann.read()
    ann.frames.clear()
    ann.raw(text)
    (reply,) = ann.read()
    assert reply["reply"] == reply_to
    assert reply["error"]["code"] == code
    assert reply["error"].get("field", "") == field
    assert field in reply["error"]["message"]
    assert "Traceback" not in reply["error"]["message"]
    assert len(world.mesh.asked) == asked
    assert world.node.counters.errors[code] == 1
    assert world.node.counters.requests["bad"] == 1
    assert "ok" in await ann.ask("ping")


async def test_the_twentieth_bad_frame_ends_the_session(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(19):
        ann.raw(b"nonsense")
    assert ann.connection.closed_with is None
    ann.raw(b"nonsense")
    assert ann.connection.closed_with == CloseCode.TOO_MANY_ERRORS
    assert world.node.counters.closes[4004] == 1


async def test_bad_frames_are_forgotten_after_a_while(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(100):
        ann.raw(b"nonsense")
        await world.settle(0.6)
    assert ann.connection.closed_with is None


async def test_too_many_frames_are_refused_and_whoever_goes_on_is_closed(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for number in range(99):
        ann.raw(b'{"op":"ping","id":%d}' % (1000 + number))
    assert all("ok" in frame for frame in ann.read())
    ann.raw(b'{"op":"ping","id":5}')
    error = (await ann.reply(5))["error"]
    assert error["code"] == "rate_limited"
    assert 0 < error["retry_after_ms"] <= 20
    await world.settle(0.1)
    assert "ok" in await ann.ask("ping")
    for _ in range(250):
        ann.raw(b'{"op":"ping","id":6}')
    assert ann.connection.closed_with == CloseCode.TOO_MANY_ERRORS


async def test_a_million_joins_open_fifty_rooms(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for number in range(1000):
        if ann.connection.closed_with is None:
            ann.send("join", room=f"r{number}")
        await world.settle(0.02)
    assert len(world.node.rooms) <= 50
    assert world.node.counters.errors["too_many_rooms"] > 0


@pytest.mark.parametrize("op", ["ping", "join", "chat"])
async def test_hello_must_come_first(world: World, autojump_clock: MockClock, op: str) -> None:
    client = world.client()
    fields: dict[str, Any] = {"ping": {}, "join": {"room": "r"}, "chat": {"room": "r", "text": "x"}}
    reply = await client.ask(op, **fields[op])
    assert reply["error"]["code"] == "hello_first"
    assert await client.hello("ann")


async def test_a_hello_that_never_comes(world: World, autojump_clock: MockClock) -> None:
    client = world.client()
    await world.settle(4.9)
    assert client.connection.closed_with is None
    await world.settle(0.2)
    assert client.connection.closed_with == CloseCode.HELLO_TIMEOUT
    assert world.node.sessions.connections == 0


def forged(claims: dict[str, Any], key: str | None = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm)


@pytest.mark.parametrize(
    ("bad_token", "code", "close_code"),
    [
        (token("ann", expires_in_s=-1), "token_expired", CloseCode.TOKEN_EXPIRED),
        (token("ann", secret="x" * 32), "token_invalid", CloseCode.TOKEN_INVALID),
        (forged(GOOD_CLAIMS, None, "none"), "token_invalid", CloseCode.TOKEN_INVALID),
        (forged(GOOD_CLAIMS | {"aud": "other"}), "token_invalid", CloseCode.TOKEN_INVALID),
        ("garbage", "token_invalid", CloseCode.TOKEN_INVALID),
    ],
    ids=["expired", "forged", "alg none", "other audience", "garbage"],
)
async def test_a_token_that_is_not_accepted_is_told_and_then_closed(
    world: World, autojump_clock: MockClock, bad_token: str, code: str, close_code: CloseCode
) -> None:
    client = world.client()
    request = client.send("hello", token=bad_token, join=[{"room": "lobby"}])
    (reply,) = client.replies(request)
    assert reply["error"]["code"] == code
    assert bad_token not in json.dumps(reply)
    assert client.connection.closed_with == close_code
    assert world.mesh.asked == []
    assert len(world.node.users) == 0


@pytest.mark.parametrize("kind", [Kind.ROOM, Kind.HEADS, Kind.USERS, Kind.CONFIRM])
async def test_envelopes_that_cannot_be_read_are_counted_and_touch_nobody(
    world: World, ann: Client, autojump_clock: MockClock, kind: Kind
) -> None:
    for header in (b"", b"\xc1", b"\x91\x01"):
        raw = envelopes.encode(kind, Priority.NORMAL, b"lobby", header, b"{}")
        world.node.receive("relay-1", one_envelope(raw))
    assert world.node.counters.bad_envelopes == 3
    assert ann.pushes() == []
    world.mesh.say("lobby")
    assert ann.seqs() == [1]


async def test_a_priority_that_does_not_exist_is_counted(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby", lost=True)
    envelope = one_envelope(envelopes.encode(Kind.ROOM, Priority.BULK, b"lobby", b"\x90", b""))
    envelope.priority = 9
    world.node.receive("relay-1", envelope)
    assert world.node.counters.bad_envelopes == 1


async def test_messages_of_rooms_that_nobody_is_in_are_dropped_and_counted(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.say("elsewhere")
    world.mesh.heads("elsewhere")
    assert world.node.counters.drops["no_room", Priority.NORMAL] == 1


async def test_an_answer_of_logic_that_cannot_be_read_is_unavailable(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh._answer = lambda method, body, facts: b"\xc1"  # type: ignore[method-assign]
    client = world.client()
    await client.hello("ann")
    assert (await client.ask("join", room="lobby"))["error"]["code"] == "unavailable"
    assert world.mesh.asked_for(Method.HEADS) != []
    await trio.lowlevel.checkpoint()
