"""Attacks on the opening of a connection."""

import pytest
import structlog
import trio

from tests.access.cluster import token
from tests.access.edge.streams import read_all
from tests.security.conftest import House, ask, open_house, request

OURS, THEIRS = "https://live.example", "https://evil.example"


async def test_a_foreign_page_is_refused() -> None:
    async with open_house({"allowed_origins": (OURS,)}) as house:
        assert await house.status_of(request(Origin=THEIRS)) == 403
        assert await house.status_of(request(Origin=f"{OURS}.evil.example")) == 403
        assert await house.status_of(request(Origin="null")) == 403
        await (await house.upgraded(f"Origin: {OURS}")).aclose()


async def test_a_foreign_page_has_no_token_to_show(house: House) -> None:
    # A browser adds cookies by itself, and nothing here looks at them: whoever says no hello with
    # a token is nobody.
    async with await house.upgraded(f"Origin: {THEIRS}", "Cookie: session=bobs") as stream:
        await stream.send_all(b"\x81\x93" + bytes(4) + b'{"op":"ping","id":1')
        await stream.send_all(b"\x81\x94" + bytes(4) + b'{"op":"ping","id":1}')
        heard = b""
        while b"hello_first" not in heard:
            heard += await stream.receive_some()


@pytest.mark.parametrize(
    ("flood", "status"),
    [
        (request("GET /v1 HTTP/1.1", *(f"X-{n}: {n}" for n in range(60))), 431),
        (request(X="x" * 4096), 431),
        (request("GET /v1 HTTP/1.1", *(f"X-{n}: {'x' * 400}" for n in range(20))), 431),
        (request(f"GET /v1{'/' * 1024} HTTP/1.1"), 414),
        (b"GET /v1 HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, 431),
    ],
    ids=["many", "a large one", "large together", "url", "without an end"],
)
async def test_a_header_flood_is_answered_before_its_end(
    house: House, flood: bytes, status: int
) -> None:
    assert await house.status_of(flood) == status


async def test_a_handshake_that_trickles_is_cut() -> None:
    async with open_house({"handshake_timeout_s": 0.1}) as house:
        async with await house.raw() as slow:
            for byte in request()[:30]:
                try:
                    await slow.send_all(bytes([byte]))
                    await trio.sleep(0.01)
                except trio.BrokenResourceError:
                    break
            assert await read_all(slow) == b""
        assert house.server.counters.handshake_errors["timeout"] == 1


async def test_a_token_in_the_url_is_refused_and_not_logged(house: House) -> None:
    shown = token("ann")
    with structlog.testing.capture_logs() as lines:
        answer = await house.answer_to(request(f"GET /v1?token={shown} HTTP/1.1"))
        header = await house.answer_to(request(f"GET /v1/{shown} HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert header.startswith(b"HTTP/1.1 404 ")
    assert shown.encode() not in answer + header
    assert shown not in str(lines)


async def test_a_token_in_a_header_says_nothing(house: House) -> None:
    shown = token("ann")
    async with await house.upgraded(f"Authorization: Bearer {shown}", f"Cookie: token={shown}"):
        assert len(house.node.users) == 1  # the neighbour


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(Content_Length="5"), 400),
        (request(Transfer_Encoding="chunked"), 400),
        (request("GET /v1 HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
        (request("GET /v1 HTTP/1.1", "Content-Length: 0", "Content-Length: 44"), 400),
        (request("GET /v1 HTTP/1.1", "Content-Length : 5"), 400),
        (request("GET /v1 HTTP/1.1", "X: y\nTransfer-Encoding: chunked"), 400),
        (request("GET /v1 HTTP/1.1", "Upgrade: h2c"), 426),
        (request(Upgrade="websocket, h2c"), 426),
        (request(Upgrade="h2c", Connection="Upgrade, HTTP2-Settings"), 426),
        (request(Upgrade="websocketx"), 426),
        (request(Sec_WebSocket_Version="777"), 426),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
    ids=[
        "a body",
        "chunks",
        "two lengths of a kind",
        "two lengths",
        "space before the colon",
        "a bare line feed",
        "two upgrades",
        "a list of upgrades",
        "h2c",
        "another protocol",
        "a version to be refused",
        "HTTP/2 at once",
    ],
)
async def test_a_smuggled_upgrade_opens_no_connection(
    house: House, data: bytes, status: int
) -> None:
    opened = house.server.counters.opened
    assert await house.status_of(data) == status
    assert house.server.counters.opened == opened


async def test_a_request_behind_the_upgrade_is_no_request(house: House) -> None:
    behind = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await house.answer_to(request() + behind)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 101 ")
    close_frame = answer.partition(b"\r\n\r\n")[2]
    assert (close_frame[0], close_frame[2:4]) == (0x88, (1002).to_bytes(2, "big"))


@pytest.mark.parametrize(
    "data",
    [request(Host=None), request("GET /v1 HTTP/1.1", "Host: other.example")],
    ids=["none", "two"],
)
async def test_a_request_has_one_host(house: House, data: bytes) -> None:
    assert await house.status_of(data) == 400


async def test_what_the_host_header_says_is_used_for_nothing(house: House) -> None:
    answer = await house.answer_to(request("GET /other HTTP/1.1", Host="evil.example"))
    assert b"evil.example" not in answer
    async with house.visitor() as visitor:
        ok = (await ask(visitor, "hello", token=token("ann")))["ok"]
    assert ok["node"] == "access-1"


async def test_a_node_that_is_full_sends_new_ones_away_first() -> None:
    async with open_house({"max_connections": 2}) as house, house.visitor():
        answer = await house.answer_to(request())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: " in answer
