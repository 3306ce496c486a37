import trio
from trio.testing import MockClock

from access.settings import ClientSettings, RoomSettings
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method
from tests.access.cluster import NOW_MS, Client, MakeWorld, World, token


async def test_hello_joins_rooms_and_tells_who_and_where(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.log("lobby").likes = 250
    world.mesh.log("lobby").online = 3
    world.mesh.say("lobby")
    client = world.client()
    ok = await client.hello("ann", join=[{"room": "lobby"}, {"room": "den"}], host=("den",))
    assert ok["uid"] == "ann"
    assert ok["node"] == "access-1"
    assert ok["heartbeat_ms"] == 25000
    assert ok["session"]
    lobby, den = ok["rooms"]["lobby"], ok["rooms"]["den"]
    assert lobby["streams"] == {
        "urgent": {"epoch": "e1", "seq": 0},
        "normal": {"epoch": "e1", "seq": 1},
        "bulk": {"epoch": "e1", "seq": 0},
    }
    assert (lobby["online"], lobby["likes"], lobby["role"]) == (3, 250, "viewer")
    assert lobby["carrier"] == world.mesh.carriers("lobby")[0]
    assert (den["online"], den["role"]) == (1, "host")


async def test_hello_registers_the_route_before_it_answers(
    world: World, autojump_clock: MockClock
) -> None:
    await world.client().hello("ann")
    (routes,) = await world.store.routes.lookup(["ann"])
    assert [(route.node, route.incarnation) for route in routes] == [("access-1", "i1")]


async def test_a_room_that_fails_has_its_error_inside_the_hello(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    world.mesh.relays = []
    ok = await client.hello("ann", join=[{"room": "lobby"}])
    assert ok["rooms"]["lobby"] == {
        "error": {"code": "unavailable", "message": "no relay", "retry_after_ms": 1000}
    }
    assert (await client.ask("chat", room="lobby", text="hi"))["error"]["code"] == "not_joined"


async def test_a_chat_goes_up_unread_and_its_answer_comes_back_unread(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    request = b'{"op": "chat","id":77,"room":"lobby","text":"\\u0068i \xc3\xa9","mid":"a-1"}'
    ann.raw(request)
    reply = await ann.reply(77)
    assert reply["ok"] == {"room": "lobby", "epoch": "e1", "seq": 1}
    (asked,) = world.mesh.asked_for(Method.PUBLISH)
    assert asked.body == request
    assert asked.priority is Priority.NORMAL
    assert asked.facts["repeatable"]
    assert (asked.facts["uid"], asked.facts["role"]) == ("ann", "viewer")
    assert [push["text"] for push in ann.pushes("chat")] == ["hi é"]


async def test_a_chat_without_mid_is_not_repeated(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    await ann.ask("chat", room="lobby", text="hi")
    assert not world.mesh.asked_for(Method.PUBLISH)[0].facts["repeatable"]


async def test_each_frame_has_a_trace_of_its_own(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    await ann.ask("chat", room="lobby", text="one")
    await ann.ask("chat", room="lobby", text="two")
    await world.settle(0.1)
    traces = [asked.facts["trace"] for asked in world.mesh.asked_for(Method.PUBLISH)]
    assert len(set(traces)) == 2
    assert [push["trace"] for push in ann.pushes("chat")] == traces


async def test_host_speech_and_gifts_take_the_urgent_lane(
    world: World, autojump_clock: MockClock
) -> None:
    host = world.client()
    await host.hello("host", host=("lobby",), join=[{"room": "lobby"}])
    assert "ok" in await host.ask("speech", room="lobby", text="welcome")
    assert "ok" in await host.ask("gift", room="lobby", gift="rose", value=1)
    lanes = [asked.priority for asked in world.mesh.asked_for(Method.PUBLISH)]
    assert lanes == [Priority.URGENT, Priority.URGENT]
    assert [push["push"] for push in host.pushes()] == ["speech", "gift"]


async def test_a_viewer_who_claims_host_speech_is_refused_at_once(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    reply = await ann.ask("speech", room="lobby", text="obey")
    assert reply["error"]["code"] == "forbidden"
    assert world.mesh.asked_for(Method.PUBLISH) == []


async def test_what_needs_a_room_needs_it_joined(world: World, autojump_clock: MockClock) -> None:
    client = world.client()
    await client.hello("ann")
    requests = [
        ("chat", {"text": "hi"}),
        ("gift", {"gift": "rose", "value": 1}),
        ("like", {}),
        ("leave", {}),
        ("fetch", {"priority": "normal", "epoch": "e1", "from": 1, "to": 2}),
    ]
    for op, fields in requests:
        reply = await client.ask(op, room="lobby", **fields)
        assert reply["error"]["code"] == "not_joined", op


async def test_ping_tells_the_time(ann: Client, autojump_clock: MockClock) -> None:
    assert (await ann.ask("ping"))["ok"] == {"ts": NOW_MS}


async def test_after_leave_nothing_comes(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    assert (await ann.ask("leave", room="lobby"))["ok"] == {}
    world.mesh.say("lobby")
    await world.settle(1)
    assert ann.pushes() == []


async def test_hello_twice_is_refused_and_the_session_stays(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    reply = await ann.ask("hello", token=token("bob"))
    assert reply["error"]["code"] == "hello_twice"
    assert "ok" in await ann.ask("chat", room="lobby", text="still here")
    assert world.mesh.asked_for(Method.PUBLISH)[0].facts["uid"] == "ann"


async def test_the_rooms_of_a_connection_are_limited(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    await client.hello("ann")
    codes = []
    for number in range(60):
        reply = await client.ask("join", room=f"r{number}")
        codes.append(reply.get("error", {}).get("code", "ok"))
        await world.settle(0.05)
    assert codes == ["ok"] * 50 + ["too_many_rooms"] * 10
    await client.ask("leave", room="r0")
    assert "ok" in await client.ask("join", room="r99")


async def test_the_rooms_of_a_node_are_limited(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world: World = make_world(room=RoomSettings(max_rooms=1))
    client = world.client()
    ok = await client.hello("ann", join=[{"room": "a"}])
    assert "error" not in ok["rooms"]["a"]
    assert (await client.ask("join", room="b"))["error"]["code"] == "too_many_rooms"


async def test_logics_refusal_reaches_the_client_as_it_is(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.failures.append(
        RequestError(ErrorCode.RATE_LIMITED, "urgent: too many", retry_after_ms=200)
    )
    reply = await ann.ask("chat", room="lobby", text="hi")
    assert reply["error"] == {
        "code": "rate_limited",
        "message": "urgent: too many",
        "retry_after_ms": 200,
    }


async def test_requests_in_flight_are_bounded(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world: World = make_world(client=ClientSettings(max_in_flight=2))
    client = world.client()
    await client.hello("ann", join=[{"room": "lobby"}])
    ids = [client.send("chat", room="lobby", text="hi") for _ in range(3)]
    replies = [await client.reply(request) for request in ids]
    assert ["ok" in reply for reply in replies] == [True, True, False]
    assert replies[2]["error"]["code"] == "overloaded"
    assert replies[2]["error"]["retry_after_ms"] > 0
    assert "ok" in await client.ask("chat", room="lobby", text="later")


async def test_chat_under_way_is_bounded_and_speech_goes_up_all_the_same(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world: World = make_world(chat_under_way=2)
    clients = [world.client() for _ in range(4)]
    for number, client in enumerate(clients):
        await client.hello(f"user-{number}", join=[{"room": "lobby"}], host=("lobby",))
    ids = [client.send("chat", room="lobby", text="hi") for client in clients[:3]]
    speech = clients[3].send("speech", room="lobby", text="welcome")
    replies = [await client.reply(i) for client, i in zip(clients, ids, strict=False)]
    assert ["ok" in reply for reply in replies] == [True, True, False]
    assert replies[2]["error"]["code"] == "overloaded"
    assert "ok" in await clients[3].reply(speech)
    assert "ok" in await clients[2].ask("chat", room="lobby", text="later")
    assert world.node.chat.under_way == 0


async def test_chat_that_is_answered_slowly_gets_fewer_places(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world: World = make_world(chat_under_way=10, chat_target_ms=40.0)
    client = world.client()
    await client.hello("ann", join=[{"room": "lobby"}])
    await client.ask("chat", room="lobby", text="quick")
    world.mesh.rtt_s = 0.5
    await client.ask("chat", room="lobby", text="slow")
    assert world.node.chat.places(trio.current_time()) == 7


async def test_fetch_is_served_from_the_ring(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(5):
        world.mesh.say("lobby")
    reply = await ann.ask(
        "fetch", room="lobby", priority="normal", epoch="e1", **{"from": 2, "to": 4}
    )
    ok = reply["ok"]
    assert [frame["seq"] for frame in ok.pop("frames")] == [2, 3, 4]
    assert ok == {"room": "lobby", "priority": "normal", "epoch": "e1", "head": 5, "oldest": 1}
    assert world.mesh.asked_for(Method.FETCH) == []


async def test_fetch_of_what_the_ring_lacks_asks_the_log_once_for_all(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(5):
        world.mesh.say("lobby")
    clients = [world.client() for _ in range(3)]
    for number, client in enumerate(clients):
        await client.hello(f"u{number}", join=[{"room": "lobby"}])
    fetch = {"room": "lobby", "priority": "normal", "epoch": "e1", "from": 1, "to": 9}
    ids = [client.send("fetch", **fetch) for client in clients]
    for client, request in zip(clients, ids, strict=True):
        ok = (await client.reply(request))["ok"]
        assert [frame["seq"] for frame in ok["frames"]] == [1, 2, 3, 4, 5]
        assert (ok["head"], ok["oldest"]) == (5, 1)
    assert len(world.mesh.asked_for(Method.FETCH)) == 1


async def test_fetch_in_an_epoch_that_is_over_tells_the_present_one(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby")
    reply = await ann.ask(
        "fetch", room="lobby", priority="normal", epoch="e0", **{"from": 1, "to": 1}
    )
    assert reply["ok"]["epoch"] == "e1"
    assert reply["ok"]["frames"] == []


async def test_a_fetch_range_that_makes_no_sense_names_the_field(
    ann: Client, autojump_clock: MockClock
) -> None:
    for first, last in ((5, 4), (0, 0), (1, 201)):
        reply = await ann.ask(
            "fetch", room="lobby", priority="normal", epoch="e1", **{"from": first, "to": last}
        )
        assert (reply["error"]["code"], reply["error"]["field"]) == ("bad_frame", "to")


async def test_a_mistake_of_ours_closes_one_connection_and_tells_no_internals(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    async def fail(method: Method) -> None:
        if method is Method.PUBLISH:
            raise ZeroDivisionError("secret detail")

    world.mesh.before_answer = fail
    bob = world.client()
    await bob.hello("bob", join=[{"room": "lobby"}])
    ann.send("chat", room="lobby", text="hi")
    await world.settle(0.1)
    assert ann.connection.closed_with == 1011
    assert "secret" not in ann.connection.close_reason
    assert world.node.counters.internal_errors == 1
    assert "ok" in await bob.ask("ping")


async def test_a_connection_that_goes_while_it_joins_leaves_nothing_behind(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.confirm = trio.Event()
    client = world.client()
    client.send("hello", token=token("ann"), join=[{"room": "lobby"}])
    await world.settle(0.1)
    world.edge.hang_up(client.connection)
    world.mesh.confirm.set()
    await world.settle(30)
    assert world.mesh.wanted == set()
    assert len(world.node.rooms) == 0
    assert await world.store.routes.lookup(["ann"]) == [[]]
    assert len(world.node.users) == 0
