"""A relay that takes its leave, and one that comes back: nothing lost, no request failed."""

import itertools
from collections.abc import AsyncIterator

import pytest
import trio

from backends.links.interface import Links
from mesh.interface import RelayDownError
from mesh.node import MeshNode
from proto.envelopes import Kind, encode
from proto.errors import RequestError
from proto.headers import Confirm, encode_header
from proto.priorities import Priority
from proto.services import Method

from .cluster import Cluster, Inbox, free_addresses, until
from .test_mesh import links, room_envelope, serve  # noqa: F401

ROOMS = [f"room-{number}" for number in range(8)]


@pytest.fixture
async def cluster(
    links: Links,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Cluster]:
    monkeypatch.setattr("mesh.connection.SETTLE_S", 0.1)
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, links, free_addresses(2))
        cluster.start_relays()
        yield cluster
        nursery.cancel_scope.cancel()


class Load:
    """A router that sends to rooms and an access node that asks, without a pause."""

    def __init__(self, router: MeshNode, access: MeshNode, inbox: Inbox) -> None:
        self.router = router
        self.access = access
        self.inbox = inbox
        self.sent: list[bytes] = []
        self.asked = 0
        self.failed: list[str] = []
        self.enough = False

    async def send(self) -> None:
        for number in itertools.takewhile(lambda _: not self.enough, itertools.count()):
            room, body = ROOMS[number % len(ROOMS)], b"%d" % number
            await self._dispatch(room, Priority(number % 3), body)
            self.sent.append(body)
            await trio.sleep(0.0005)

    async def ask(self) -> None:
        while not self.enough:
            self.asked += 1
            try:
                await self.access.request(Method.PUBLISH, Priority.NORMAL, b"?", repeatable=False)
            except RequestError as error:
                self.failed.append(str(error))
            await trio.sleep(0.001)

    async def _dispatch(self, room: str, priority: Priority, body: bytes) -> None:
        for relay in self.router.carriers(room):
            try:
                await self.router.send(relay, priority, room_envelope(room, body, priority))
            except RelayDownError:
                continue
            return
        raise AssertionError("no relay is up")

    def missing(self) -> set[bytes]:
        return set(self.sent) - set(self.inbox.bodies)


async def loaded(cluster: Cluster, nursery: trio.Nursery) -> Load:
    router, _ = cluster.node("router-1", "router")
    access, inbox = cluster.node("access-1", "access")

    async def answer(*_: object) -> bytes:
        await trio.sleep(0.002)
        return b"!"

    serve(cluster, nursery, "logic-1", answer)
    await cluster.all_up(router, access, *cluster.all_logic)
    for room in ROOMS:
        access.want(room)
    for room in ROOMS:
        await access.confirmed(room)
    load = Load(router, access, inbox)
    nursery.start_soon(load.send)
    for _ in range(4):
        nursery.start_soon(load.ask)
    return load


async def test_a_relay_that_leaves_and_comes_back_loses_nothing_and_fails_no_request(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    load = await loaded(cluster, nursery)
    await trio.sleep(0.1)
    with trio.fail_after(5):
        await cluster.leave("relay-1")
    await until(lambda: load.router.carriers("x") == load.access.carriers("x") == ["relay-2"])
    await trio.sleep(0.05)
    cluster.start_relay(1)
    await until(lambda: len(load.router.up) == 2)
    assert load.router.carriers("x") == ["relay-2"]  # until all have found the new one
    await until(lambda: len(load.router.carriers("x")) == 2)
    await trio.sleep(0.05)
    load.enough = True
    await until(lambda: not load.missing())
    assert len(load.inbox.bodies) == len(load.sent)
    assert load.failed == []
    assert min(len(load.sent), load.asked) > 20


async def test_a_node_that_comes_while_a_relay_leaves_is_told_so(cluster: Cluster) -> None:
    stays, _ = cluster.node("access-1", "access")
    await cluster.all_up(stays)
    stays.requests.open("relay-1", Priority.NORMAL)  # never answered: it can not end yet
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cluster.relays["relay-1"].leave)
        await until(lambda: stays.carriers("x") == ["relay-2"])
        comes, _ = cluster.node("access-2", "access")
        await until(lambda: len(comes.up) == 2 and comes.carriers("x") == ["relay-2"])
        nursery.cancel_scope.cancel()


async def test_a_relay_that_leaves_takes_answers_and_nothing_else(cluster: Cluster) -> None:
    router, _ = cluster.node("router-1", "router")
    await cluster.all_up(router)
    router.requests.open("relay-1", Priority.NORMAL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cluster.relays["relay-1"].leave)
        await until(lambda: router.carriers("x") == ["relay-2"])
        with pytest.raises(RelayDownError):
            await router.send("relay-1", Priority.NORMAL, room_envelope("x", b"late"))
        assert not router.offer("relay-1", Priority.NORMAL, room_envelope("x", b"late"))
        answer = encode(Kind.REPLY, Priority.NORMAL, b"x", encode_header(Confirm(1)))
        assert router.offer("relay-1", Priority.NORMAL, answer)
        nursery.cancel_scope.cancel()


async def test_the_only_relay_carries_at_once_and_nothing_once_it_leaves(cluster: Cluster) -> None:
    cluster.kill("relay-2")
    router, _ = cluster.node("router-1", "router")
    await until(lambda: router.carriers("x") == ["relay-1"])
    with trio.fail_after(5):
        await cluster.leave("relay-1")
    assert router.carriers("x") == []
