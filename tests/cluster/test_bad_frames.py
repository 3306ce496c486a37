"""Bad clients against a real cluster: each gets its documented error or close code, each is
counted, and the people in the room beside them notice nothing."""

import json
import os
import re
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import jwt
import pytest
import trio

from tests.cluster.conftest import Bystander, Cluster, counts
from tests.cluster.independent_client import (
    PATIENCE_S,
    SUBPROTOCOL,
    Connection,
    HandshakeRefusedError,
    RefusedError,
    connected,
    greeted,
)

ID = 7777
BIG = 10**400


def frame(**fields: Any) -> str:
    """Return a client's frame; the field `from_` is sent as `from`, and `None` leaves one out."""
    full = {"id": ID, "room": "ROOM"} | fields
    return json.dumps({name.rstrip("_"): v for name, v in full.items() if v is not None})


def chat(**fields: Any) -> str:
    return frame(**({"op": "chat", "text": "hi"} | fields))


def fetch(**fields: Any) -> str:
    asked = {"op": "fetch", "priority": "normal", "epoch": "x", "from_": 1, "to": 2}
    return frame(**(asked | fields))


NOT_JSON = [
    *("", "nonsense", "{", '{"op":"chat"', "[]", '"chat"', "null", "7", "[[{}]]", "NaN"),
    *("[" * 8000, '{"a":' * 3000, '{"op":"ping","id":1}{"op":"ping","id":2}', "\ufeff{}"),
    '{"op":"chat","id":1,"room":"ROOM","text":"\\ud800"}',
    '{"op":"chat","id":1,"room":"ROOM","text":"\x01"}',
    '{"op":"like","id":1,"room":"ROOM","count":NaN}',
]
NO_ID = [
    *(frame(op="ping", room=None, id=bad) for bad in (-1, 2**53, 1.5, "7", True, [7], {}, BIG)),
    *('{"op":"ping"}', '{"op":"ping","id":null}', '{"op":"ping","id":1e400}'),
]
BAD_FIELDS: list[tuple[str, str]] = [
    ("op", frame(op=None)),
    ("op", frame(op=5)),
    ("op", frame(op=["chat"])),
    ("room", chat(room=None)),
    *(("room", chat(room=bad)) for bad in ("", "a b", "r\n", "\n", "a\x00b", "ü", "x" * 65, 5)),
    *(("text", chat(text=bad)) for bad in (None, "", "x" * 2001, 5, ["x"], {"a": {"b": []}})),
    *(("mid", chat(mid=bad)) for bad in ("", "a b", "a\n", "m" * 65, 5)),
    ("priority", chat(priority="urgent")),
    ("role", chat(role="host")),
    ("uid", chat(uid="somebody")),
    ("value", frame(op="gift", gift="g")),
    *(("value", frame(op="gift", gift="g", value=bad)) for bad in (-1, 10**6 + 1, 1.5, "1", BIG)),
    *(("count", frame(op="gift", gift="g", value=1, count=bad)) for bad in (0, 1001, -1)),
    *(("gift", frame(op="gift", gift=bad, value=1)) for bad in ("", "a b", 5)),
    *(("count", frame(op="like", count=bad)) for bad in (-1, 0, 1001, 10**12, 1.5, "1", True, BIG)),
    *(("priority", fetch(priority=bad)) for bad in ("URGENT", "", 1)),
    *(("from", fetch(from_=bad)) for bad in (-1, 2**53, 1.5)),
    ("to", fetch(to=None)),
    ("epoch", fetch(epoch="e" * 33)),
    *(("history", frame(op="join", history=bad)) for bad in (-1, 101, 1.5, "1")),
    ("since", frame(op="join", since=[])),
    ("since", frame(op="join", since={"soon": {"epoch": "x", "seq": 1}})),
    ("since", frame(op="join", since={"bulk": {"epoch": "x", "seq": -1}})),
    ("since", frame(op="join", since={"bulk": {"epoch": "x"}})),
    ("since", frame(op="join", since={"bulk": {"epoch": "x", "seq": 1, "more": 1}})),
]


async def refusal(connection: Connection, text: str, request_id: int | None = ID) -> RefusedError:
    """Send `text`; return the error that answers it."""
    if request_id is None:
        before = len(connection.stray)
        await connection.send_text(text)
        await connection.until(lambda: len(connection.stray) > before)
        return RefusedError(connection.stray[-1]["error"])
    with pytest.raises(RefusedError) as refused:
        await connection.exchange(text, request_id)
    return refused.value


@asynccontextmanager
async def fresh(cluster: Cluster, room: str) -> AsyncIterator[Connection]:
    async with greeted(cluster.access[0], cluster.token("mallory"), room) as mallory:
        yield mallory
        assert set(await mallory.request("ping")) == {"ts"}


async def test_frames_that_can_not_be_read(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    async with counts(
        *(cluster, "access", "relaymesh_access_errors_total"), len(NOT_JSON), code="bad_json"
    ):
        for text in NOT_JSON:
            async with fresh(cluster, room) as mallory:
                error = await refusal(mallory, text.replace("ROOM", room), None)
                assert error.code == "bad_json", text[:80]


async def test_frames_without_a_readable_id(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    for text in NO_ID:
        async with fresh(cluster, room) as mallory:
            error = await refusal(mallory, text, None)
            assert (error.code, error.field) == ("bad_frame", "id"), text[:80]


async def test_the_field_that_is_wrong_is_named(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    wrong = []
    errors = cluster, "access", "relaymesh_access_errors_total"
    async with counts(*errors, len(BAD_FIELDS), code="bad_frame"), AsyncExitStack() as stack:
        for number, (field, text) in enumerate(BAD_FIELDS):
            if number % 15 == 0:  # 20 bad frames within 10 s end a connection
                mallory = await stack.enter_async_context(fresh(cluster, room))
            request_id = number + 10_000
            text = text.replace("ROOM", room).replace(str(ID), str(request_id))
            error = await refusal(mallory, text, request_id)
            if (error.code, re.split(r"[.[]", error.field)[0]) != ("bad_frame", field):
                wrong.append((field, text[:80], str(error)))
    assert wrong == []


async def test_what_may_not_be_done(cluster: Cluster, bystander: Bystander, room: str) -> None:
    async with fresh(cluster, room) as mallory:
        errors: Counter[str] = Counter()
        for text, code, field in (
            (frame(op="dance"), "unknown_op", "op"),
            (chat(op="speech"), "forbidden", "op"),
            (frame(op="hello", room=None, token="x"), "hello_twice", "op"),
            (chat(room="elsewhere"), "not_joined", "room"),
            (frame(op="like", room="elsewhere"), "not_joined", "room"),
            (fetch(from_=3, to=2), "bad_frame", "to"),
            (fetch(from_=1, to=201), "bad_frame", "to"),
        ):
            errors[code] += 1
            request_id = ID + errors.total()
            text = text.replace("ROOM", room).replace(str(ID), str(request_id))
            async with counts(cluster, "access", "relaymesh_access_errors_total", code=code):
                error = await refusal(mallory, text, request_id)
            assert (error.code, error.field) == (code, field)


async def test_a_name_that_comes_twice_counts_as_it_came_last(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    async with fresh(cluster, room) as mallory:
        twice = '{"op":"chat","id":1,"room":"elsewhere","room":"%s","text":"a","text":"b","id":%d}'
        await mallory.exchange(twice % (room, ID), ID)
        await mallory.until(lambda: any(p.get("uid") == "mallory" for p in mallory.pushes))
        (said,) = [push for push in mallory.of("chat") if push["uid"] == "mallory"]
        assert (said["text"], said["priority"]) == ("b", "normal")
        speech = chat(op="chat").replace('"op": "chat"', '"op":"chat","op":"speech"')
        error = await refusal(mallory, speech.replace("ROOM", room).replace(str(ID), "8888"), 8888)
        assert error.code in {"bad_frame", "forbidden"}


async def test_before_hello_nothing_is_done(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    async with (
        connected(cluster.access[0]) as mallory,
        counts(cluster, "access", "relaymesh_access_errors_total", 2, code="hello_first"),
    ):
        for request_id, text in (
            (101, chat(room=room, id=101)),
            (102, frame(op="ping", room=None, id=102)),
        ):
            error = await refusal(mallory, text, request_id)
            assert (error.code, error.field) == ("hello_first", "op")
        too_many = [{"room": f"r{n}"} for n in range(21)]
        with pytest.raises(RefusedError) as refused:
            await mallory.request("hello", token=cluster.token("mallory"), join=too_many)
        assert (refused.value.code, refused.value.field) == ("bad_frame", "join")
        await mallory.request("hello", token=cluster.token("mallory"))


def tokens(cluster: Cluster) -> list[tuple[Any, str, int | None]]:
    """Return tokens with the code of the error, and of the close, that each must get."""
    good = cluster.token("mallory")
    head, claims, signature = good.split(".")
    payload = jwt.decode(good, options={"verify_signature": False})
    none = jwt.encode(payload, None, algorithm="none")
    forged = jwt.encode(payload | {"role": "server"}, "x" * 32, algorithm="HS256")
    other = jwt.encode(payload, cluster.secrets["token_secret"] * 2, algorithm="HS512")
    invalid: list[Any] = [
        *("x", "a.b.c", "....", good[:-2], f"{head}.{claims}.", none, forged, other, "\x00"),
        f"{none.split('.')[0]}.{claims}.{signature}",
        cluster.token("mallory", aud="another"),
        cluster.token("mallory", aud=None),
        cluster.token("mallory", exp=None),
        cluster.token("mallory", exp="soon"),
        cluster.token("mallory", role="admin"),
        cluster.token("mallory", host="all"),
        cluster.token("mallory", nbf=2**40),
        cluster.token("mall ory"),
        cluster.token("mallory\n"),
        cluster.token(""),
    ]
    return [
        *((token, "token_invalid", 4001) for token in invalid),
        *((cluster.token("mallory", exp=exp), "token_expired", 4002) for exp in (1, 0, -(2**40))),
        *((token, "bad_frame", None) for token in (None, "", "x" * 4097, 5, ["x"], {})),
    ]


async def test_tokens_that_are_no_good(cluster: Cluster, bystander: Bystander) -> None:
    cases = tokens(cluster)
    expected = Counter(code for _, code, _ in cases)
    async with AsyncExitStack() as stack:
        for code, number in expected.items():
            await stack.enter_async_context(
                counts(cluster, "access", "relaymesh_access_errors_total", number, code=code)
            )
        for close in ("4001", "4002"):
            number = sum(str(each) == close for _, _, each in cases)
            await stack.enter_async_context(
                counts(cluster, "access", "relaymesh_edge_closes_total", number, code=close)
            )
        for token, code, close_code in cases:
            async with connected(cluster.access[0]) as mallory:
                error = await refusal(mallory, frame(op="hello", room=None, token=token))
                assert (error.code, error.field) == (code, "token"), token
                assert str(token) not in str(error) or len(str(token)) < 6
                if close_code is not None:
                    assert await mallory.ended() == close_code


def ws(opcode: int, payload: bytes = b"", first: int = 0x80, mask: bool = True) -> bytes:
    """Return a frame of a client, broken as asked."""
    size, bit = len(payload), 0x80 if mask else 0
    if size < 126:
        head = bytes([first | opcode, bit | size])
    else:
        head = struct.pack("!BBH", first | opcode, bit | 126, size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
PIECE = b'{"op":"ping",'
BAD_BYTES: list[tuple[int, bytes]] = [
    (1007, ws(TEXT, b"\xff\xfe")),
    (1007, ws(TEXT, b'{"op":"ping","id":1,"x":"' + b'\xc3"}')),
    (1007, ws(TEXT, b'"\xed\xa0\x80"')),
    (1007, ws(TEXT, b"\xc3", first=0) + ws(0, b"\x28")),
    (1003, ws(BINARY, b"{}")),
    (1009, ws(TEXT, b" " * (16 * 1024 + 1))),
    (1009, ws(TEXT, b" " * 9000, first=0) + ws(0, b" " * 9000)),
    (1009, bytes([0x81, 0xFF]) + struct.pack("!Q", 2**40) + b"mask"),
    (1002, bytes([0x81, 0xFF]) + struct.pack("!Q", 2**63) + b"mask"),
    (1002, ws(TEXT, b"{}", mask=False)),
    (1002, ws(TEXT, b"{}", first=0xC0)),
    (1002, ws(TEXT, b"{}", first=0x90)),
    *((1002, ws(opcode, b"{}")) for opcode in (3, 7, 11, 15)),
    (1002, ws(0, b"{}")),
    (1002, ws(TEXT, PIECE, first=0) + ws(TEXT, PIECE)),
    (1002, ws(PING, b"x" * 126)),
    (1002, ws(PING, b"x", first=0)),
    *((1002, ws(CLOSE, struct.pack("!H", code))) for code in (0, 999, 1004, 1005, 1006, 1015)),
    *((1002, ws(CLOSE, struct.pack("!H", code))) for code in (1016, 2999, 5000, 65535)),
    (1002, ws(CLOSE, b"x")),
    (1007, ws(CLOSE, struct.pack("!H", 1000) + b"\xff")),
    *((code, ws(CLOSE, struct.pack("!H", code) + b"bye")) for code in (1000, 1001, 3000, 4999)),
]


async def test_bytes_that_break_the_websocket_protocol(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    expected = Counter(code for code, _ in BAD_BYTES)
    wrong = []
    async with AsyncExitStack() as stack:
        for code, number in expected.items():
            closes = cluster, "access", "relaymesh_edge_closes_total"
            await stack.enter_async_context(counts(*closes, number, code=str(code)))
        for code, data in BAD_BYTES:
            async with greeted(cluster.access[0], cluster.token("mallory"), room) as mallory:
                await mallory.send_raw(data)
                if await mallory.ended() != code:
                    wrong.append((code, mallory.code, data[:40]))
    assert wrong == []


async def test_unusual_bytes_that_keep_the_protocol(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    async with fresh(cluster, room) as mallory:
        parts = ws(TEXT, PIECE, first=0) + ws(PING, b"x" * 125) + ws(0, b'"id"', first=0)
        for byte in parts + ws(0, b":%d}" % ID):
            await mallory.send_raw(bytes([byte]))
        assert set(await mallory.answer(ID)) == {"ts"}
        await mallory.send_raw(b"".join(ws(TEXT, b"", first=0) + ws(0, b"", first=0) for _ in "x"))
        await mallory.send_raw(ws(0, b'{"op":"ping","id":1234}'))
        await mallory.answer(1234)
        largest = b'{"op":"ping","id":1235}'.ljust(16 * 1024)
        await mallory.send_raw(ws(TEXT, largest))
        await mallory.answer(1235)


def request(*lines: str, **changed: str | None) -> bytes:
    """Return a handshake; a header that is `None` is left out."""
    headers: dict[str, str | None] = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    start = lines or ("GET /v1 HTTP/1.1",)
    named = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([*start, *named, "", ""]).encode("latin-1")


BAD_REQUESTS: list[tuple[int, str, bytes]] = [
    (
        400,
        "malformed",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n",
    ),
    (400, "malformed", b"nonsense\r\n\r\n"),
    (400, "malformed", b"\x00" * 100 + b"\r\n\r\n"),
    (400, "malformed", request("GET /v1 HTTP/1.1", "a b: c")),
    (400, "malformed", request("GET /v1 HTTP/1.0")),
    (404, "path", request("GET / HTTP/1.1")),
    (404, "path", request("GET /v1/ HTTP/1.1")),
    (405, "method", request("POST /v1 HTTP/1.1")),
    (426, "not_websocket", request(Upgrade=None)),
    (426, "not_websocket", request(Connection="close")),
    (426, "version", request(Sec_WebSocket_Version="8")),
    (400, "key", request(Sec_WebSocket_Key="short")),
    (400, "key", request(Sec_WebSocket_Key=None)),
    (400, "subprotocol", request(Sec_WebSocket_Protocol=None)),
    (400, "subprotocol", request(Sec_WebSocket_Protocol="relaymesh.v2.json")),
    (403, "origin", request(Origin="https://evil.example")),
    (403, "origin", request(Origin="null")),
    (431, "too_large", request(X_Long="x" * 9000)),
    (431, "too_large", request("GET /v1 HTTP/1.1", *(f"X-{n}: 1" for n in range(100)))),
]


async def http_status(cluster: Cluster, data: bytes) -> int:
    """Send `data` to an access node; return the status of its answer, 0 where it has none."""
    stream = await trio.open_tcp_stream("127.0.0.1", cluster.port_base + 10)
    async with stream:
        await stream.send_all(data)
        answer = b""
        with trio.fail_after(PATIENCE_S):
            while chunk := await stream.receive_some():
                answer += chunk
    assert not answer or answer.startswith(b"HTTP/1.1 ")
    return int(answer.split(b" ")[1]) if answer else 0


async def test_handshakes_that_are_refused(cluster: Cluster, bystander: Bystander) -> None:
    reasons = Counter(reason for _, reason, _ in BAD_REQUESTS)
    wrong = []
    async with AsyncExitStack() as stack:
        for reason, number in reasons.items():
            errors = cluster, "access", "relaymesh_edge_handshake_errors_total"
            await stack.enter_async_context(counts(*errors, number, reason=reason))
        for status, reason, data in BAD_REQUESTS:
            if (found := await http_status(cluster, data)) != status:
                wrong.append((status, found, reason, data[:60]))
    assert wrong == []


async def test_an_origin_that_is_allowed_and_one_that_is_not(cluster: Cluster) -> None:
    async with connected(cluster.access[0], ("Origin", cluster.gateway)) as page:
        await page.request("hello", token=cluster.token("page"))
    with pytest.raises(HandshakeRefusedError) as refused:
        async with connected(cluster.access[0], ("Origin", "https://evil.example")):
            pass
    assert refused.value.status == 403


@pytest.mark.cluster_long
async def test_who_says_nothing_or_trickles_is_sent_away_after_five_seconds(
    cluster: Cluster, bystander: Bystander
) -> None:
    closes = cluster, "access", "relaymesh_edge_closes_total"
    errors = cluster, "access", "relaymesh_edge_handshake_errors_total"
    began = trio.current_time()
    took: dict[str, float] = {}

    async def say_no_hello() -> None:
        async with connected(cluster.access[0]) as silent:
            assert await silent.ended() == 4000
            took["silent"] = trio.current_time() - began

    async def trickle() -> None:
        async with await trio.open_tcp_stream("127.0.0.1", cluster.port_base + 10) as stream:
            with pytest.raises(trio.BrokenResourceError):
                for byte in request(X_Long="x" * 500):
                    await stream.send_all(bytes([byte]))
                    await trio.sleep(0.05)
            took["trickle"] = trio.current_time() - began

    async def be_a_silent_node() -> None:
        with cluster.dialed(1) as socket:
            with trio.fail_after(PATIENCE_S):
                while socket.pipes:
                    await trio.sleep(0.02)
            took["node"] = trio.current_time() - began

    async with (
        counts(*closes, 1, code="4000"),
        counts(*errors, 1, reason="timeout"),
        counts(cluster, "relay", "relaymesh_relay_links_cut_total", 1, reason="no_hello"),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(say_no_hello)
        nursery.start_soon(trickle)
        nursery.start_soon(be_a_silent_node)
    assert all(4.5 < seconds < 8 for seconds in took.values()), took


async def test_who_goes_on_with_bad_frames_or_floods_is_sent_away(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    async with counts(cluster, "access", "relaymesh_edge_closes_total", 2, code="4004"):
        async with greeted(cluster.access[0], cluster.token("mallory"), room) as mallory:
            await mallory.send_raw(b"".join(ws(TEXT, b"?") for _ in range(25)))
            assert await mallory.ended() == 4004
            assert len(mallory.stray) >= 19
        async with greeted(cluster.access[0], cluster.token("mallory"), room) as mallory:
            flood = [ws(TEXT, b'{"op":"ping","id":%d}' % n) for n in range(1000, 2000)]
            await mallory.send_raw(b"".join(flood))
            assert await mallory.ended() == 4004


async def test_a_flood_of_joins_is_limited(cluster: Cluster, bystander: Bystander) -> None:
    """Each connection gets its fifty rooms and no more, and all of it is let go afterwards."""
    answered: Counter[str] = Counter()

    async def flood(number: int) -> None:
        async with greeted(cluster.access[0], cluster.token(f"mallory{number}")) as mallory:

            async def join(n: int) -> None:
                try:
                    await mallory.request("join", room=f"flood-{number}-{n}")
                    answered["ok"] += 1
                except RefusedError as error:
                    answered[error.code] += 1

            async with trio.open_nursery() as nursery:
                for n in range(90):
                    nursery.start_soon(join, n)

    before = await cluster.metric("access", "relaymesh_access_rooms_open")
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(flood, number)
    assert answered == {"ok": 300, "too_many_rooms": 240}
    with trio.fail_after(PATIENCE_S):
        while await cluster.metric("access", "relaymesh_access_rooms_open") > before + 5:
            await trio.sleep(0.1)
    assert await cluster.metric("access", "relaymesh_access_joining") == 0
