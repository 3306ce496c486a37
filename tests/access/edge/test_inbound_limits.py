"""What one connection may send: each limit exceeded by one."""

import struct
from typing import Any

import pytest

from backends.rate_limit.interface import Rate
from tests.access.edge.client_frames import frame
from tests.access.edge.conftest import REQUEST, RunEdge, runner
from tests.access.edge.streams import read_all


@pytest.fixture
def run_edge() -> RunEdge:
    """By one write path: this is about reading."""
    return runner(write_path="loop")


PING = frame(b"", 0x89)
TEXT, FIRST, MORE, LAST = 0x81, 0x01, 0x00, 0x80


def fragments(count: int, part: bytes = b"") -> bytes:
    """One message of so many frames."""
    middle = frame(part, MORE) * (count - 2)
    return frame(b"[1", FIRST) + middle + frame(b"]", LAST)


async def close_code(stream: Any) -> int:
    data = await read_all(stream)
    at = data.index(b"\x88")
    (code,) = struct.unpack("!H", data[at + 2 : at + 4])
    return int(code)


LIMITS: dict[str, Any] = {
    "max_fragments": 8,
    "max_message_bytes": 300,
    "pings": Rate(0.01, 5),
    "inbound_bytes": Rate(1, 2008),
    "close_timeout_s": 0.05,
}
WITHIN = {
    "a message": frame(b"x" * 300),
    "fragments": fragments(8),
    "empty fragments": fragments(8, b""),
    "pings": PING * 5,
    "pings between fragments": frame(b"[", FIRST) + PING * 5 + frame(b"]", LAST),
    "bytes": frame(b"x" * 192) * 10,
}
BEYOND = {
    "a message": (frame(b"x" * 301), 1009),
    "fragments": (fragments(9), 1009),
    "empty fragments": (frame(b"", FIRST) + frame(b"", MORE) * 8, 1009),
    "pings": (PING * 6, 4004),
    "pings between fragments": (frame(b"[", FIRST) + PING * 6, 4004),
    "bytes": (frame(b"x" * 192) * 10 + frame(b"xxx"), 4004),
    "pongs": (frame(b"", 0x8A) * 400, 4004),
}


@pytest.mark.parametrize("what", WITHIN)
async def test_as_much_as_is_allowed_is_taken(run_edge: RunEdge, what: str) -> None:
    async with run_edge(**LIMITS) as edge:
        stream = await edge.upgraded()
        await stream.send_all(WITHIN[what] + frame(b"\x03\xe8", 0x88))
        assert await close_code(stream) == 1000


@pytest.mark.parametrize("what", BEYOND)
async def test_one_more_ends_the_connection_and_a_neighbour_goes_on(
    run_edge: RunEdge, what: str
) -> None:
    data, code = BEYOND[what]
    async with run_edge(**LIMITS) as edge:
        neighbour, stream = await edge.upgraded(), await edge.upgraded()
        await stream.send_all(data)
        assert await close_code(stream) == code
        await stream.aclose()
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {2: code})
        await neighbour.send_all(PING)
        assert await neighbour.receive_some(10) == b"\x8a\x00"


def head(*, url: int = 0, headers: int = 0, header: int = 0, total: int = 0) -> bytes:
    """A proper request, padded to so many of each."""
    line, _, rest = REQUEST.partition(b"\r\n")
    lines = rest.removesuffix(b"\r\n\r\n").split(b"\r\n")
    lines += [b"a: b"] * (headers - len(lines) if headers else 0)
    lines += [b"X: " + b"x" * (header - 1)] if header else []
    if url:
        line = line.replace(b"/v1", b"/v1" + b"x" * (url - 3))
    data = b"\r\n".join([line, *lines, b"", b""])
    padding = total - len(data)
    return data if padding <= 0 else data[:-2] + b"P: " + b"x" * (padding - 5) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("limit", "most", "padded", "status"),
    [
        ("max_url_bytes", 100, "url", 414),
        ("max_headers", 20, "headers", 431),
        ("max_header_bytes", 300, "header", 431),
        ("max_request_bytes", 500, "total", 431),
    ],
    ids=["url", "headers", "one header", "all of it"],
)
async def test_a_request_that_is_one_too_large_is_refused(
    run_edge: RunEdge, limit: str, most: int, padded: str, status: int
) -> None:
    async with run_edge(**{limit: most}, close_timeout_s=0.05) as edge:
        async with await edge.raw() as stream:
            await stream.send_all(head(**{padded: most}))
            taken = 404 if padded == "url" else 101
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 %d " % taken)
        async with await edge.raw() as stream:
            await stream.send_all(head(**{padded: most + 1}))
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 %d " % status)
