"""One suite over every kind of link."""

import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import trio

from backends.links.flow import DIALER_WINDOW, LISTENER_WINDOW
from backends.links.interface import (
    MAX_MESSAGE_BYTES,
    Dialed,
    Endpoint,
    Event,
    Happened,
    Link,
    Links,
)
from backends.links.memory import MemoryNetwork
from backends.links.nng import NngLinks
from backends.tls.credentials import load
from ops.certs.folder import Folder

WITHIN_S = 5.0


class Pump:
    """An end that is read until what a test waits for has happened."""

    def __init__(self, end: Endpoint) -> None:
        self.end = end
        self.seen: list[Event] = []

    async def until(self, done: Callable[[list[Event]], bool]) -> None:
        with trio.fail_after(WITHIN_S):
            while not done(self.seen):
                self.seen += self.end.poll(64)
                if not done(self.seen):
                    await self.end.wait()

    async def batches(self, count: int) -> list[bytes]:
        await self.until(lambda seen: len(_batches(seen)) >= count)
        found = _batches(self.seen)
        self.seen = [event for event in self.seen if not isinstance(event.what, bytes)]
        return found

    async def happened(self, what: Happened) -> Link:
        await self.until(lambda seen: any(event.what is what for event in seen))
        event = next(event for event in self.seen if event.what is what)
        self.seen.remove(event)
        return event.link


def _batches(events: list[Event]) -> list[bytes]:
    return [event.what for event in events if isinstance(event.what, bytes)]


@pytest.fixture(params=["memory", "nng", "tls"])
def links(request: pytest.FixtureRequest, certs: Folder) -> Links:
    if request.param == "memory":
        return MemoryNetwork()
    if request.param == "nng":
        return NngLinks()
    return NngLinks(credentials=load(certs.issue("relay", "relay-1")))


@pytest.fixture
def url(free_port: int, links: Links) -> str:
    return f"{'tls+' if links.certificate else ''}tcp://127.0.0.1:{free_port}"


@pytest.fixture
async def listener(links: Links, url: str) -> AsyncIterator[Pump]:
    end = links.listen(url)
    yield Pump(end)
    end.close()


@pytest.fixture
async def dialed(links: Links, url: str, listener: Pump) -> AsyncIterator[Dialed]:
    with trio.fail_after(WITHIN_S):
        end = await links.dial(url)
    yield end
    end.close()


@pytest.fixture
async def far(listener: Pump, dialed: Dialed) -> Link:
    """The listener's link to `dialed`, which has said something."""
    dialed.link.send(b"hello")
    await listener.batches(1)
    return await listener.happened(Happened.OPENED)


async def test_batches_arrive_in_order_both_ways(listener: Pump, dialed: Dialed, far: Link) -> None:
    far.send(b"one")
    far.send(b"two")
    assert await Pump(dialed).batches(2) == [b"one", b"two"]


async def test_a_closed_window_refuses_and_opens_when_the_other_side_has_consumed(
    listener: Pump, dialed: Dialed
) -> None:
    sent = 0
    while dialed.link.sendable:
        dialed.link.send(b"%d" % sent)
        sent += 1
    assert sent == DIALER_WINDOW
    link = await listener.happened(Happened.OPENED)
    for _ in range(sent):
        link.consumed()
    listener.end.poll(1)
    await Pump(dialed).happened(Happened.SENDABLE)
    assert dialed.link.sendable


async def test_nothing_is_lost_when_the_listener_sends_as_fast_as_its_window_permits(
    dialed: Dialed, far: Link, listener: Pump
) -> None:
    total = 2_000
    got: list[bytes] = []

    async def send() -> None:
        for number in range(total):
            while not far.sendable:
                listener.end.poll(64)
                if not far.sendable:
                    await listener.end.wait()
            far.send(b"%d" % number + b"x" * 20_000)

    async def receive() -> None:
        pump = Pump(dialed)
        while len(got) < total:
            batches = await pump.batches(1)
            got.extend(batch.partition(b"x")[0] for batch in batches)
            for _ in batches:
                dialed.link.consumed()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(receive)
    assert got == [b"%d" % number for number in range(total)]


async def test_a_listener_has_two_places_for_each_peer(far: Link) -> None:
    for _ in range(LISTENER_WINDOW):
        far.send(b"x")
    assert not far.sendable
    assert not far.send_control(b"x")


async def test_a_ping_passes_a_closed_window_once(dialed: Dialed, listener: Pump) -> None:
    while dialed.link.sendable:
        dialed.link.send(b"x")
    assert dialed.link.send_control(b"ping")
    assert not dialed.link.send_control(b"ping")
    batches = await listener.batches(DIALER_WINDOW + 1)
    assert batches[-1] == b"ping"


async def test_both_sides_see_a_cut_link_gone(listener: Pump, dialed: Dialed, far: Link) -> None:
    far.close()
    assert await Pump(dialed).happened(Happened.GONE) is dialed.link
    assert await listener.happened(Happened.GONE) is far
    assert not far.sendable
    assert not dialed.link.sendable


async def test_a_dialer_that_closes_is_gone_after_its_last_batch(
    listener: Pump, dialed: Dialed, far: Link
) -> None:
    dialed.link.send(b"last")
    assert await listener.batches(1) == [b"last"]
    dialed.close()
    assert await listener.happened(Happened.GONE) is far


async def test_a_dialer_waits_for_its_listener(links: Links, url: str) -> None:
    async with trio.open_nursery() as nursery:
        ends: list[Dialed] = []

        async def dial() -> None:
            ends.append(await links.dial(url))

        nursery.start_soon(dial)
        await trio.testing.wait_all_tasks_blocked()
        listener = links.listen(url)
        with trio.fail_after(WITHIN_S):
            while not ends:
                await trio.sleep(0.005)
    ends[0].close()
    listener.close()


async def test_an_address_in_use_is_a_clear_error(links: Links, url: str, listener: Pump) -> None:
    with pytest.raises(OSError, match=re.escape(f"can't listen at {url}")):
        links.listen(url)


@pytest.fixture
def raw_tcp(url: str) -> Iterator[Callable[[bytes], socket.socket]]:
    """Speaks nng's stream protocol by hand: 8 bytes of greeting, then length-prefixed messages."""
    opened: list[socket.socket] = []

    def connect(message: bytes) -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5)
        opened.append(peer)
        peer.sendall(b"\0SP\0\0\x11\0\0")
        assert len(peer.recv(8)) == 8
        peer.sendall(len(message).to_bytes(8, "big") + message)
        return peer

    yield connect
    for peer in opened:
        peer.close()


@pytest.mark.parametrize("links", ["nng"], indirect=True)
@pytest.mark.parametrize(
    "message",
    [b"", b"\0\0\0\1", b"\0\0\0\1garbage of no version", b"\0\0\0\1L\2" + bytes(8)],
    ids=["empty", "no-message", "garbage", "other-version"],
)
async def test_bad_messages_cut_only_their_own_link(
    listener: Pump,
    dialed: Dialed,
    far: Link,
    raw_tcp: Callable[[bytes], socket.socket],
    message: bytes,
) -> None:
    peer = await trio.to_thread.run_sync(raw_tcp, message)
    await listener.happened(Happened.OPENED)
    await listener.happened(Happened.GONE)
    assert await trio.to_thread.run_sync(peer.recv, 64) == b""
    assert far.sendable


@pytest.mark.parametrize("links", ["memory"], indirect=True)
async def test_bad_messages_are_counted(
    links: MemoryNetwork, url: str, listener: Pump, dialed: Dialed, far: Link
) -> None:
    links.inject(url, b"")
    await listener.happened(Happened.GONE)
    assert listener.end.bad == 1


@pytest.mark.parametrize("links", ["memory"], indirect=True)
async def test_a_frozen_link_swallows_what_is_sent(
    links: MemoryNetwork, url: str, listener: Pump, dialed: Dialed, far: Link
) -> None:
    links.freeze(url)
    dialed.link.send(b"lost")
    assert not listener.end.poll(10)
    assert dialed.link.sendable


@pytest.mark.parametrize("links", ["nng"], indirect=True)
async def test_a_message_over_the_limit_cuts_only_its_own_link(
    listener: Pump, dialed: Dialed, far: Link
) -> None:
    with socket.create_connection(far_address(dialed)) as huge:
        huge.sendall(b"\0SP\0\0\x11\0\0")
        # A link that nng cuts before it has told of it is never heard of.
        await listener.happened(Happened.OPENED)
        huge.sendall((MAX_MESSAGE_BYTES * 2).to_bytes(8, "big"))
        await listener.happened(Happened.GONE)
    assert far.sendable


def far_address(dialed: Dialed) -> tuple[str, int]:
    """Where `dialed` has dialled."""
    return "127.0.0.1", int(dialed.link.name.rpartition(":")[2])
