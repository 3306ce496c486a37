"""What one address may do, and whose address counts behind a proxy."""

from typing import Any

import pytest
import trio
from trio_websocket import ConnectionRejected

from access.edge.opening.addresses import AddressLimits
from backends.rate_limit.interface import Rate
from tests.access.edge.conftest import REQUEST, RunningEdge, runner
from tests.access.edge.streams import read_all

MANY = Rate(1e6, 1_000_000)
LOOSE = {"max_connections": 1000, "handshakes": MANY, "failures": MANY}
NO_SUCH_PATH = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
HOME, OFFICE = "198.51.100.7", "198.51.100.8"


def run_edge(trusted: tuple[str, ...] = (), **limits: Any) -> Any:
    """An edge that trusts no loopback, so that a test is one address."""
    address = AddressLimits(trusted_proxies=trusted, **{**LOOSE, **limits})
    return runner(write_path="loop")(address=address, close_timeout_s=0.05)


async def answer_of(edge: RunningEdge, forwarded: str = "", request: bytes = REQUEST) -> bytes:
    """The first line of the answer to a handshake, whose connection is closed again."""
    async with await edge.raw() as stream:
        await stream.send_all(with_header(request, forwarded))
        with trio.fail_after(5):
            return (await stream.receive_some(4096)).partition(b"\r\n")[0]


def with_header(request: bytes, forwarded: str) -> bytes:
    header = f"X-Forwarded-For: {forwarded}\r\n\r\n".encode() if forwarded else b"\r\n"
    return request.removesuffix(b"\r\n") + header


async def hold(edge: RunningEdge, forwarded: str = "") -> Any:
    stream = await edge.raw()
    await stream.send_all(with_header(REQUEST, forwarded))
    assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 101 ")
    return stream


async def test_one_connection_too_many_is_answered_429_until_another_one_ends() -> None:
    async with run_edge(max_connections=2) as edge:
        one, two = await hold(edge), await hold(edge)
        with pytest.raises(ConnectionRejected) as caught:
            async with edge.client():
                pass
        assert caught.value.status_code == 429
        assert int(dict(caught.value.headers)[b"retry-after"]) >= 10
        await two.send_all(b"\x89\x80abcd")
        assert await two.receive_some(10) == b"\x8a\x00"
        await one.aclose()
        await edge.recorder.until(lambda: len(edge.recorder.closed_codes) == 1)
        await (await hold(edge)).aclose()
        assert edge.server.counters.handshake_errors["address_full"] == 1
        await two.aclose()
    assert len(edge.server.addresses) == 0


async def test_one_handshake_too_many_waits() -> None:
    async with run_edge(handshakes=Rate(0.01, 2)) as edge:
        assert [await answer_of(edge) for _ in range(2)] == [
            b"HTTP/1.1 101 Switching Protocols"
        ] * 2
        assert await answer_of(edge) == b"HTTP/1.1 429 Too Many Requests"
        assert edge.server.counters.handshake_errors["address_rate"] == 1


@pytest.mark.parametrize("fail", ["a request that is none", "a token"])
async def test_one_failure_too_many_keeps_an_address_out_for_a_while(fail: str) -> None:
    async with run_edge(failures=Rate(0.01, 2)) as edge:
        edge.recorder.on_opened = lambda connection: connection.blame()
        for _ in range(2):
            if fail == "a token":
                await answer_of(edge)
            else:
                assert b"404" in await answer_of(edge, request=NO_SUCH_PATH)
        assert await answer_of(edge) == b"HTTP/1.1 429 Too Many Requests"
        assert edge.server.counters.handshake_errors["address_failures"] == 1


async def test_behind_a_trusted_proxy_each_client_counts_for_itself() -> None:
    async with run_edge(("127.0.0.0/8",), max_connections=1) as edge:
        home = await hold(edge, f"10.0.0.1, {HOME}")
        assert edge.recorder.connections[1].address == f"{HOME}:0"
        assert b"429" in await answer_of(edge, f"203.0.113.5, {HOME}")
        office = await hold(edge, OFFICE)
        await home.aclose()
        await edge.recorder.until(lambda: len(edge.recorder.closed_codes) == 1)
        await (await hold(edge, HOME)).aclose()
        await office.aclose()
    assert len(edge.server.addresses) == 0


async def test_a_trusted_proxy_itself_is_not_limited() -> None:
    async with run_edge(("127.0.0.0/8",), max_connections=1, handshakes=Rate(0.01, 1)) as edge:
        streams = [await hold(edge) for _ in range(5)]
        assert len(edge.server.addresses) == 0
        for stream in streams:
            await stream.aclose()


async def test_nobody_else_is_believed_about_its_address() -> None:
    async with run_edge(max_connections=1) as edge:
        one = await hold(edge, HOME)
        assert b"429" in await answer_of(edge, OFFICE)
        assert edge.recorder.connections[1].address.startswith("127.0.0.1:")
        await one.aclose()


async def test_what_never_becomes_a_connection_is_counted_while_it_lasts() -> None:
    async with run_edge(max_connections=1) as edge:
        silent = await edge.raw()
        while not edge.server.openings:
            await trio.sleep(0.001)
        assert b"429" in await answer_of(edge)
        await silent.aclose()
        while edge.server.openings:
            await trio.sleep(0.001)
        async with await edge.raw() as stream:
            await stream.send_all(NO_SUCH_PATH)
            assert (await read_all(stream)).startswith(b"HTTP/1.1 404 ")
    assert len(edge.server.addresses) == 0


async def test_other_limits_hold_from_then_on() -> None:
    async with run_edge(max_connections=1) as edge:
        one = await hold(edge)
        edge.server.addresses.reconfigured(AddressLimits((), max_connections=2))
        two = await hold(edge)
        assert b"429" in await answer_of(edge)
        for stream in (one, two):
            await stream.aclose()
