"""The wire between memory links: what tests may do to it."""

from backends.links.interface import Dialed, Endpoint, Happened
from backends.links.memory import MemoryNetwork

URL = "tcp://relay:1"


async def _two(network: MemoryNetwork) -> tuple[Endpoint, Dialed, Dialed]:
    listener = network.listen(URL)
    return listener, await network.of("one").dial(URL), await network.of("two").dial(URL)


def _batches(end: Endpoint) -> list[bytes]:
    return [event.what for event in end.poll(100) if isinstance(event.what, bytes)]


async def test_the_links_of_one_dialer_are_cut_or_frozen_by_its_name() -> None:
    network = MemoryNetwork()
    listener, one, two = await _two(network)
    network.freeze("two")
    for dialed in (one, two):
        dialed.link.send(b"hello")
    assert _batches(listener) == [b"hello"]
    network.cut("one")
    assert [event.what for event in one.poll(10)][-1] is Happened.GONE
    assert not one.link.sendable
    assert two.link.sendable


async def test_a_stalled_link_gives_no_credit_and_loses_nothing() -> None:
    network = MemoryNetwork()
    listener, one, two = await _two(network)
    network.stall("one")
    sent = 0
    while one.link.sendable:
        one.link.send(b"%d" % sent)
        sent += 1
    two.link.send(b"free")
    assert 0 < sent < 100
    assert _batches(listener) == [b"free"]
    network.release("one")
    assert _batches(listener) == [b"%d" % number for number in range(sent)]
