"""Nodes and relays together, over links in memory and over pynng."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from backends.links.interface import Links
from backends.links.memory import MemoryNetwork
from backends.links.nng import NngLinks
from mesh.interface import RelayDownError
from mesh.serving import Bounds, Serving
from proto.envelopes import Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader, RoomHeader, SpreadHeader, decode_users, encode_header
from proto.priorities import Priority
from proto.services import Method

from .cluster import Cluster, free_addresses, until

HEADER = encode_header(RoomHeader("e1", 1, 0))


def room_envelope(room: str, body: bytes, priority: Priority = Priority.NORMAL) -> bytes:
    return encode(Kind.ROOM, priority, room.encode(), HEADER, body)


@pytest.fixture(params=["memory", "nng"])
def links(request: pytest.FixtureRequest) -> Links:
    return MemoryNetwork() if request.param == "memory" else NngLinks()


@pytest.fixture
async def cluster(links: Links) -> AsyncIterator[Cluster]:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, links, free_addresses(2))
        yield cluster
        nursery.cancel_scope.cancel()


def serve(
    cluster: Cluster, nursery: trio.Nursery, name: str, answer: Any, **bounds: int
) -> Serving:
    node, inbox = cluster.node(name, "logic")
    serving = Serving(node, answer, Bounds(**({"at_work": 8, "waiting": 8} | bounds)))
    inbox.answer = serving.receive
    nursery.start_soon(serving.run)
    cluster.all_logic.append(node)
    return serving


async def test_a_message_reaches_whoever_has_confirmed_interest(cluster: Cluster) -> None:
    cluster.start_relays()
    router, _ = cluster.node("router-1", "router")
    wants, got = cluster.node("access-1", "access")
    other, nothing = cluster.node("access-2", "access")
    await cluster.all_up(router, wants, other)
    wants.want("lobby")
    await wants.confirmed("lobby")
    await router.send(router.carriers("lobby")[0], Priority.URGENT, room_envelope("lobby", b"hi"))
    assert await got.until(1) == [b"hi"]
    assert got.received[0][0] == wants.carriers("lobby")[0]
    assert not nothing.received


async def test_interest_ends_when_it_is_withdrawn(cluster: Cluster) -> None:
    cluster.start_relays()
    access, _ = cluster.node("access-1", "access")
    access.want("lobby")
    await access.confirmed("lobby")
    access.unwant("lobby")
    await until(lambda: all(not len(r.forwarding.table) for r in cluster.relays.values()))


async def test_confirmed_gives_up_when_no_relay_is_there(cluster: Cluster) -> None:
    access, _ = cluster.node("access-1", "access", confirm_timeout_s=0.1)
    access.want("lobby")
    with pytest.raises(RequestError) as caught:
        await access.confirmed("lobby")
    assert caught.value.body.code == ErrorCode.UNAVAILABLE


async def test_when_the_carrier_dies_the_next_one_takes_over(cluster: Cluster) -> None:
    cluster.start_relays()
    router, _ = cluster.node("router-1", "router")
    access, got = cluster.node("access-1", "access")
    await cluster.all_up(router, access)
    access.want("lobby")
    await access.confirmed("lobby")
    first, second = router.carriers("lobby")
    cluster.kill(first)
    await until(lambda: router.carriers("lobby") == [second], 1.0)
    await until(lambda: access.carriers("lobby") == [second], 1.0)
    await access.confirmed("lobby")
    with pytest.raises(RelayDownError):
        await router.send(first, Priority.NORMAL, room_envelope("lobby", b"lost"))
    await router.send(second, Priority.NORMAL, room_envelope("lobby", b"kept"))
    assert await got.until(1) == [b"kept"]


async def test_a_restarted_relay_has_its_table_back_within_a_second(cluster: Cluster) -> None:
    relay = cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access")
    rooms = [f"room-{number:060}" for number in range(3000)]
    for room in rooms:
        access.want(room)
    await access.confirmed(rooms[-1])
    cluster.kill("relay-1")
    await until(lambda: not access.up)
    relay = cluster.start_relay(1)
    await until(lambda: len(relay.forwarding.table) == len(rooms), 1.0)


async def test_users_go_to_the_named_node_or_to_all_access_nodes(cluster: Cluster) -> None:
    cluster.start_relay(1)
    router, at_router = cluster.node("router-1", "router")
    one, got_one = cluster.node("access-1", "access")
    two, got_two = cluster.node("access-2", "access")
    await cluster.all_up(router, one, two)
    for key, body in ((b"access-1", b"for one"), (b"", b"for all")):
        router.offer(
            "relay-1", Priority.NORMAL, encode(Kind.USERS, Priority.NORMAL, key, b"", body)
        )
    assert await got_one.until(2) == [b"for one", b"for all"]
    assert await got_two.until(1) == [b"for all"]
    assert not at_router.received


async def test_a_spread_becomes_one_envelope_a_node(cluster: Cluster) -> None:
    cluster.start_relay(1)
    router, _ = cluster.node("router-1", "router")
    one, got_one = cluster.node("access-1", "access")
    two, got_two = cluster.node("access-2", "access")
    await cluster.all_up(router, one, two)
    header = SpreadHeader("m1", {"access-1": ["a", "b"], "access-2": ["c"], "gone": ["d"]}, 7, "t")
    spread = encode(Kind.SPREAD, Priority.NORMAL, b"", encode_header(header), b"body")
    await router.send("relay-1", Priority.NORMAL, spread)
    assert await got_one.until(1) == await got_two.until(1) == [b"body"]
    assert decode_users(got_one.received[0][1].header).uids == ["a", "b"]
    assert decode_users(got_two.received[0][1].header).uids == ["c"]
    assert decode_users(got_two.received[0][1].header).seqs == []
    assert cluster.relays["relay-1"].drops["no_such_node", Priority.NORMAL] == 1


async def test_a_spread_takes_each_node_the_numbers_of_its_users(cluster: Cluster) -> None:
    cluster.start_relay(1)
    router, _ = cluster.node("router-1", "router")
    one, got_one = cluster.node("access-1", "access")
    two, got_two = cluster.node("access-2", "access")
    await cluster.all_up(router, one, two)
    nodes = {"access-1": ["a", "b"], "access-2": ["c"]}
    header = SpreadHeader("m1", nodes, 7, "t", {"access-1": [4, 70_000], "access-2": [1]})
    spread = encode(Kind.SPREAD, Priority.NORMAL, b"", encode_header(header), b"body")
    await router.send("relay-1", Priority.NORMAL, spread)
    assert await got_one.until(1) == await got_two.until(1) == [b"body"]
    assert decode_users(got_one.received[0][1].header).seqs == [4, 70_000]
    assert decode_users(got_two.received[0][1].header).seqs == [1]


async def echo(header: RequestHeader, body: bytes) -> bytes:
    return header.uid.encode() + b" said " + body


async def test_a_request_is_answered_by_logic(cluster: Cluster, nursery: trio.Nursery) -> None:
    cluster.start_relays()
    access, _ = cluster.node("access-1", "access")
    serve(cluster, nursery, "logic-1", echo)
    await cluster.all_up(access, *cluster.all_logic)
    answers = [
        await access.request(Method.PUBLISH, Priority.NORMAL, b"hi", uid="ann") for _ in range(4)
    ]
    assert answers == [b"ann said hi"] * 4
    assert not len(access.requests)


async def test_requests_are_spread_over_the_instances(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access")
    one = serve(cluster, nursery, "logic-1", echo)
    two = serve(cluster, nursery, "logic-2", echo)
    await cluster.all_up(access, *cluster.all_logic)
    for _ in range(10):
        await access.request(Method.PUBLISH, Priority.NORMAL, b"hi")
    assert (one.answered, two.answered) == (5, 5)


async def test_without_logic_a_request_is_unavailable(cluster: Cluster) -> None:
    cluster.start_relays()
    access, _ = cluster.node("access-1", "access")
    await cluster.all_up(access)
    with pytest.raises(RequestError) as caught:
        await access.request(Method.HEADS, Priority.NORMAL, room="lobby")
    assert caught.value.body.code == ErrorCode.UNAVAILABLE
    assert caught.value.body.retry_after_ms > 0
    drops = [
        relay.drops["request_unavailable", Priority.NORMAL] for relay in cluster.relays.values()
    ]
    assert drops == [1, 1]


async def test_an_error_of_logic_arrives_as_it_is(cluster: Cluster, nursery: trio.Nursery) -> None:
    async def refuse(header: RequestHeader, body: bytes) -> bytes:
        raise RequestError(ErrorCode.FORBIDDEN, "no", field="op")

    cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access")
    serving = serve(cluster, nursery, "logic-1", refuse)
    await cluster.all_up(access, *cluster.all_logic)
    with pytest.raises(RequestError) as caught:
        await access.request(Method.PUBLISH, Priority.NORMAL, b"", repeatable=True)
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.FORBIDDEN, "op")
    assert serving.failed == 1


async def test_a_broken_request_is_unavailable_and_harms_no_other(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    async def break_down(header: RequestHeader, body: bytes) -> bytes:
        return bytes(body[5])

    cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access")
    serving = serve(cluster, nursery, "logic-1", break_down)
    await cluster.all_up(access, *cluster.all_logic)
    with pytest.raises(RequestError) as caught:
        await access.request(Method.PUBLISH, Priority.NORMAL, b"")
    assert caught.value.body.code == ErrorCode.UNAVAILABLE
    assert await access.request(Method.PUBLISH, Priority.NORMAL, b"\0\0\0\0\0\2") == b"\0\0"
    assert serving.broken == 1


@pytest.mark.parametrize(("repeatable", "calls"), [(True, 2), (False, 1)])
async def test_only_what_is_safe_to_repeat_is_tried_over_another_relay(
    cluster: Cluster, nursery: trio.Nursery, repeatable: bool, calls: int
) -> None:
    seen = []

    async def slow_once(header: RequestHeader, body: bytes) -> bytes:
        seen.append(header.request)
        if len(seen) == 1:
            await trio.sleep(60)
        return b"done"

    cluster.start_relays()
    access, _ = cluster.node("access-1", "access", request_timeout_s=0.2)
    serve(cluster, nursery, "logic-1", slow_once)
    await cluster.all_up(access, *cluster.all_logic)
    outcome = None
    try:
        outcome = await access.request(Method.PUBLISH, Priority.NORMAL, repeatable=repeatable)
    except RequestError as error:
        assert error.body.code == ErrorCode.TIMEOUT
    assert outcome == (b"done" if repeatable else None)
    assert len(seen) == calls


async def test_a_relay_that_dies_fails_its_requests_at_once_and_they_go_elsewhere(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    seen: list[int] = []

    async def stall_once(header: RequestHeader, body: bytes) -> bytes:
        seen.append(header.request)
        if len(seen) == 1:
            await trio.sleep(60)
        return b"done"

    cluster.start_relays()
    access, _ = cluster.node("access-1", "access", request_timeout_s=60)
    serve(cluster, nursery, "logic-1", stall_once)
    await cluster.all_up(access, *cluster.all_logic)

    async def kill_its_relay() -> None:
        await until(lambda: bool(seen))
        busy = [name for name, r in cluster.relays.items() if len(r.forwarding.admission)]
        cluster.kill(busy[0])

    nursery.start_soon(kill_its_relay)
    with trio.fail_after(5):
        assert await access.request(Method.FETCH, Priority.NORMAL) == b"done"


async def test_a_logic_that_dies_is_answered_for_at_once(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    started = trio.Event()

    async def stall(header: RequestHeader, body: bytes) -> bytes:
        started.set()
        await trio.sleep(60)
        return b""

    cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access", request_timeout_s=60)
    serve(cluster, nursery, "logic-1", stall)
    await cluster.all_up(access, *cluster.all_logic)

    async def kill_logic() -> None:
        await started.wait()
        cluster.kill("logic-1")

    nursery.start_soon(kill_logic)
    with trio.fail_after(5), pytest.raises(RequestError) as caught:
        await access.request(Method.PUBLISH, Priority.NORMAL)
    assert caught.value.body.code == ErrorCode.UNAVAILABLE


async def test_beyond_its_bounds_logic_answers_overloaded(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    release = trio.Event()

    async def wait(header: RequestHeader, body: bytes) -> bytes:
        await release.wait()
        return b"done"

    cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access")
    serving = serve(cluster, nursery, "logic-1", wait, at_work=2, waiting=3)
    await cluster.all_up(access, *cluster.all_logic)
    outcomes: list[object] = []

    async def ask() -> None:
        try:
            outcomes.append(await access.request(Method.PUBLISH, Priority.NORMAL))
        except RequestError as error:
            outcomes.append((error.body.code, error.body.retry_after_ms > 0))

    async with trio.open_nursery() as askers:
        for _ in range(8):
            askers.start_soon(ask)
        await until(lambda: serving.turns.refused == 3)
        release.set()
    assert outcomes.count(b"done") == 5
    assert outcomes.count((ErrorCode.OVERLOADED, True)) == 3


async def test_the_relay_refuses_what_is_over_the_admission_limit(
    cluster: Cluster, nursery: trio.Nursery
) -> None:
    release = trio.Event()

    async def wait(header: RequestHeader, body: bytes) -> bytes:
        await release.wait()
        return b"done"

    relay = cluster.start_relay(1, max_outstanding=2)
    access, _ = cluster.node("access-1", "access")
    serve(cluster, nursery, "logic-1", wait)
    await cluster.all_up(access, *cluster.all_logic)
    outcomes: list[object] = []

    async def ask() -> None:
        try:
            outcomes.append(await access.request(Method.PUBLISH, Priority.URGENT))
        except RequestError as error:
            outcomes.append(error.body.code)

    async with trio.open_nursery() as askers:
        for _ in range(5):
            askers.start_soon(ask)
        await until(lambda: relay.drops["request_overloaded", Priority.URGENT] == 3)
        release.set()
    assert sorted(map(str, outcomes)) == sorted(map(str, [b"done"] * 2 + ["overloaded"] * 3))


async def test_a_node_refuses_requests_beyond_its_own_bound(cluster: Cluster) -> None:
    cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access", max_requests=1)
    await cluster.all_up(access)
    attempt = access.requests.open("relay-1", Priority.NORMAL)
    with pytest.raises(RequestError) as caught:
        await access.request(Method.PUBLISH, Priority.NORMAL)
    assert caught.value.body.code == ErrorCode.OVERLOADED
    access.requests.close(attempt)


async def test_a_role_may_not_send_what_is_not_its_to_send(cluster: Cluster) -> None:
    relay = cluster.start_relay(1)
    access, _ = cluster.node("access-1", "access")
    victim, got = cluster.node("access-2", "access")
    await cluster.all_up(access, victim)
    victim.want("lobby")
    await victim.confirmed("lobby")
    for forged in (
        room_envelope("lobby", b"forged"),
        encode(Kind.USERS, Priority.NORMAL, b"access-2", b"", b"forged"),
        encode(Kind.REPLY, Priority.NORMAL, b"access-2", b"", b"forged"),
    ):
        await access.send("relay-1", Priority.NORMAL, forged)
    await until(lambda: relay.drops["forbidden", Priority.NORMAL] == 3)
    assert not got.received


async def test_a_flood_is_pushed_back_and_nothing_is_lost(cluster: Cluster) -> None:
    relay = cluster.start_relay(1, peer_lane_bytes=2 << 20)
    router, _ = cluster.node("router-1", "router", lane_bytes=4 << 20)
    one, got_one = cluster.node("access-1", "access")
    two, got_two = cluster.node("access-2", "access")
    await cluster.all_up(router, one, two)
    for node in (one, two):
        node.want("lobby")
        await node.confirmed("lobby")
    total, body = 3000, b"x" * 5000
    for number in range(total):
        await router.send(
            "relay-1", Priority.NORMAL, room_envelope("lobby", b"%d " % number + body)
        )
    for got in (got_one, got_two):
        bodies = await got.until(total, 20)
        assert [int(body.split()[0]) for body in bodies] == list(range(total))
    assert not relay.drops
