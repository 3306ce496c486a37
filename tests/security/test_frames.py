"""Attacks by what a connection sends."""

import json

import pytest
import structlog

from access.settings import ClientSettings
from proto.close_codes import CloseCode
from tests.access.cluster import token
from tests.access.edge.client_frames import deflated, frame
from tests.security.conftest import LOBBY, House, ask, closed, open_house, say

DEFLATE = "permessage-deflate"
COMPRESSED = 0xC1
PING, PONG = 0x89, 0x8A
MIB = 1 << 20


@pytest.mark.parametrize("levels", [1, 2], ids=["a bomb", "a bomb in a bomb"])
async def test_a_compression_bomb_is_never_inflated(house: House, levels: int) -> None:
    bomb = bytes(16 * MIB // (1 if levels == 1 else 16))
    for _ in range(levels):
        bomb = deflated(bomb, 9)
    pieces = [bomb[at : at + 4000] for at in range(0, len(bomb), 4000)]
    first = frame(pieces[0], COMPRESSED if len(pieces) == 1 else 0x41)
    rest = [frame(each, 0x00) for each in pieces[1:-1]]
    last = [frame(pieces[-1], 0x80)] if len(pieces) > 1 else []
    assert await house.close_code(first, *rest, *last, extension=DEFLATE) in (1009, 1007)


async def test_a_small_message_that_inflates_beyond_the_limit_is_refused(house: House) -> None:
    bomb = deflated(b" " * (16 * 1024 + 1), 9)
    assert len(bomb) < 100
    assert await house.close_code(frame(bomb, COMPRESSED), extension=DEFLATE) == 1009


@pytest.mark.parametrize("part", [b"", b"x"], ids=["empty ones", "small ones"])
async def test_a_fragment_flood_ends_its_connection(house: House, part: bytes) -> None:
    assert await house.close_code(frame(part, 0x01) + frame(part, 0x00) * 5000) == 1009


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        (frame(b"x" * 125, PING) * 200, 4004),
        (frame(b"", PONG) * 180_000, 4004),
        (frame(b"x" * 125, PING) + frame(b"x" * 126, PING), 1002),
    ],
    ids=["pings", "pongs", "a ping that is too long"],
)
async def test_a_flood_of_control_frames_ends_its_connection(
    house: House, flood: bytes, code: int
) -> None:
    assert await house.close_code(flood) == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),
        (b"\x81\xff" + (1 << 63).to_bytes(8, "big") + bytes(4), 1002),
        (b"\x81\xff" + ((1 << 63) - 1).to_bytes(8, "big") + bytes(4), 1009),
        (frame(b"x" * (16 * 1024 + 1)), 1009),
        (frame(b"x", 0xF1), 1002),
        (frame(b"x", 0x83), 1002),
        (frame(b"\x03", 0x88), 1002),
    ],
    ids=[
        "no mask",
        "a length below zero",
        "a length of exabytes",
        "one byte too many",
        "reserved bits",
        "a reserved opcode",
        "half a close code",
    ],
)
async def test_a_frame_against_the_rules_ends_its_connection(
    house: House, data: bytes, code: int
) -> None:
    assert await house.close_code(data) == code


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"],
    ids=["no lead", "overlong", "half a pair", "beyond Unicode", "cut off"],
)
async def test_text_that_is_not_utf8_ends_its_connection(house: House, text: bytes) -> None:
    assert await house.close_code(frame(text)) == 1007


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        '{"op":"ping","id":1,"x":' + "[" * 8000,
        '{"op":' * 2000,
        '{"op":"hello","id":1,"token":"t","join":' + "[" * 4000 + "]" * 4000 + "}",
    ],
    ids=["lists", "inside a field", "objects", "closed again"],
)
async def test_json_that_is_too_deep_is_an_error(house: House, text: str) -> None:
    async with house.visitor() as visitor:
        assert (await say(visitor, text))["error"]["code"] in ("bad_json", "bad_frame")


@pytest.mark.parametrize(
    "number",
    ["1e999", "-1", "9" * 5000, "1.5", "NaN", "Infinity", "1e400000000", "9007199254740992"],
    ids=["inf", "negative", "5,000 digits", "fraction", "NaN", "Infinity", "exponent", "2^53"],
)
async def test_a_number_out_of_range_is_an_error(house: House, number: str) -> None:
    async with house.visitor() as visitor:
        answer = await say(visitor, f'{{"op":"ping","id":{number}}}')
        assert answer["error"]["code"] in ("bad_json", "bad_frame")
        await ask(visitor, "hello", token=token("ann"), join=LOBBY)
        answer = await say(visitor, f'{{"op":"like","id":2,"room":"lobby","count":{number}}}')
        assert answer["error"]["code"] in ("bad_json", "bad_frame")


async def test_of_a_key_that_comes_twice_all_parts_read_the_same(house: House) -> None:
    async with house.visitor() as visitor:
        twice = '{"op":"hello","id":1,"token":"%s","token":"%s"}'
        ok = (await say(visitor, twice % ("garbage", token("ann"))))["ok"]
        assert ok["uid"] == "ann"
    async with house.visitor() as visitor:
        assert "error" in await say(visitor, twice % (token("ann"), "garbage"))


async def test_what_a_client_writes_stays_one_line_of_the_log(house: House) -> None:
    forged = "x\n2026-01-01 [info] admin_logged_in uid=root\x1b[2J"
    with structlog.testing.capture_logs() as lines:
        async with house.visitor() as visitor:
            await ask(visitor, "hello", token=token("ann"), client="c\r\n")
            assert "error" in await ask(visitor, "join", room=forged)
            assert "error" in await ask(visitor, forged, room="r")
    assert not any(forged in str(value) for line in lines for value in line.values())
    assert "admin_logged_in" not in json.dumps(lines, default=str)


async def test_bad_frames_again_and_again_end_the_connection(house: House) -> None:
    async with house.visitor() as visitor:
        for _ in range(20):
            await visitor.send_message("nonsense")
        assert await closed(visitor) == CloseCode.TOO_MANY_ERRORS


async def test_a_hello_that_never_comes_ends_the_connection() -> None:
    settings = ClientSettings(hello_s=0.1)
    async with open_house({}, client=settings) as house, house.visitor() as visitor:
        assert await closed(visitor) == CloseCode.HELLO_TIMEOUT
