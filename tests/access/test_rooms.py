import json

import pytest
import trio
from trio.testing import MockClock

from access.settings import RoomSettings
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method
from tests.access.cluster import NOW_MS, Client, MakeWorld, World, token


async def joined(world: World, uid: str = "bob", **spec: object) -> Client:
    client = world.client()
    await client.hello(uid, join=[{"room": "lobby", **spec}])
    return client


def heads_of(client: Client) -> dict[str, int]:
    """Return where the client's last join said that it starts."""
    ok = [frame["ok"] for frame in client.read() if "ok" in frame][-1]
    streams = ok["streams"] if "streams" in ok else ok["rooms"]["lobby"]["streams"]
    return {priority: position["seq"] for priority, position in streams.items()}


async def test_a_cold_room_is_wanted_confirmed_and_then_asked_for_heads(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.confirm = trio.Event()
    client = world.client()
    request = client.send("hello", token=token(), join=[{"room": "lobby"}])
    await world.settle(1)
    assert world.mesh.wanted == {"lobby"}
    assert world.mesh.asked_for(Method.HEADS) == []
    assert client.replies(request) == []
    world.mesh.confirm.set()
    assert "ok" in await client.reply(request)


async def test_what_arrives_while_a_room_opens_comes_after_the_answered_heads(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby")

    async def meanwhile(method: Method) -> None:
        if method is Method.HEADS:
            world.mesh.bring("lobby", Priority.NORMAL, 1)

    world.mesh.before_answer = meanwhile
    client = await joined(world)
    world.mesh.say("lobby")
    await world.settle(1)
    assert heads_of(client)["normal"] == 1
    assert client.seqs() == [2]


async def test_many_joiners_of_a_cold_room_open_it_once(
    world: World, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(joined, world, f"u{number}")
    assert len(world.mesh.asked_for(Method.HEADS)) == 1
    assert world.node.rooms.with_members == 1


async def test_a_warm_room_answers_without_a_trip_and_with_what_was_handed_over(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        world.mesh.say("lobby")
    # The first has left at once, the two others wait for their tick.
    bob = world.client()
    await bob.hello("bob")
    asked = len(world.mesh.asked)
    bob.send("join", room="lobby")
    await world.settle(0.1)
    assert len(world.mesh.asked) == asked
    head = heads_of(bob)["normal"]
    assert bob.seqs() == list(range(head + 1, 4))
    assert ann.seqs() == [1, 2, 3]
    reply_first = bob.read()
    assert "push" not in reply_first[1]


async def test_joiners_in_the_midst_of_traffic_get_each_number_behind_their_heads_once(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    clients = [ann]
    for number in range(60):
        world.mesh.say("lobby", lost=number % 7 == 3)
        if number % 5 == 0:
            clients.append(await joined(world, f"u{number}"))
        await world.settle(0.003)
    world.mesh.heads("lobby")
    await world.settle(2)
    for client in clients:
        assert client.seqs() == list(range(heads_of(client)["normal"] + 1, 61))


async def test_a_busy_rooms_messages_are_joined_and_an_idle_ones_leave_at_once(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby")
    assert ann.seqs() == [1]
    for _ in range(10):
        world.mesh.say("lobby")
    await trio.sleep(0.006)  # so long the edge writes the round
    await world.settle(0.013)
    assert ann.seqs() == [1]
    await world.settle(0.01)
    assert ann.seqs() == list(range(1, 12))
    assert [(batch.first_seq, batch.last_seq) for batch in world.edge.rounds] == [(1, 1), (2, 11)]


async def test_urgent_never_waits_for_a_tick(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        world.mesh.say("lobby", Priority.URGENT, "speech")
        world.edge.settle()
        await world.settle()
    assert ann.seqs("urgent") == [1, 2, 3]
    assert len(world.edge.rounds) == 3


async def test_no_round_is_handed_over_while_the_last_one_is_written(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby", Priority.URGENT)
    for _ in range(5):
        world.mesh.say("lobby", Priority.URGENT)
    assert len(world.edge.rounds) == 1
    await world.settle(0.001)
    assert [batch.messages for batch in world.edge.rounds] == [1, 5]


async def test_a_round_is_bounded_in_bytes(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(room=RoomSettings(max_round_bytes=1024))
    client = await joined(world)
    for _ in range(40):
        world.mesh.say("lobby", fields={"text": "x" * 200})
    await world.settle(2)
    assert client.seqs() == list(range(1, 41))
    assert max(len(batch.message) for batch in world.edge.rounds) < 2000


async def test_a_loss_is_fetched_once_for_all_members(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    bob = await joined(world)
    world.mesh.say("lobby")
    world.mesh.say("lobby", lost=True)
    world.mesh.say("lobby")
    await world.settle(0.5)
    assert ann.seqs() == bob.seqs() == [1, 2, 3]
    assert len(world.mesh.asked_for(Method.FETCH)) == 1


async def test_a_loss_at_the_end_is_found_by_the_heads(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby", Priority.URGENT, lost=True)
    world.mesh.heads("lobby")
    await world.settle(1)
    assert ann.seqs("urgent") == [1]
    assert world.mesh.asked_for(Method.FETCH)[0].priority is Priority.URGENT


async def test_a_loss_outlasts_logic_being_away(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no logic")
    world.mesh.say("lobby", lost=True)
    world.mesh.say("lobby")
    await world.settle(60)
    assert ann.seqs() == []
    world.mesh.down = None
    await world.settle(10)
    assert ann.seqs() == [1, 2]


async def test_bulk_is_not_repaired_but_told(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for lost in (False, True, True, False):
        world.mesh.say("lobby", Priority.BULK, "likes", {"total": 1}, lost=lost)
    await world.settle(1)
    bulk = [push for push in ann.pushes() if push["priority"] == "bulk"]
    assert [push["push"] for push in bulk] == ["likes", "skipped", "likes"]
    assert (bulk[1]["from"], bulk[1]["to"]) == (2, 3)
    assert world.mesh.asked_for(Method.FETCH) == []


async def test_doubled_messages_reach_nobody_twice(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        seq = world.mesh.say("lobby")
        world.mesh.bring("lobby", Priority.NORMAL, seq)
    await world.settle(1)
    assert ann.seqs() == [1, 2, 3]
    assert world.node.cursor_counters[Priority.NORMAL].duplicates == 3


async def test_a_log_that_begins_anew_is_told_with_reset(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby")
    await world.settle(0.1)
    world.mesh.logs.clear()
    world.mesh.log("lobby").epoch = "e2"
    world.mesh.say("lobby")
    await world.settle(1)
    told = [(p["push"], p["epoch"], p["seq"]) for p in ann.pushes()]
    assert told == [("chat", "e1", 1), ("reset", "e2", 0), ("chat", "e2", 1)]


# -- resuming


async def test_a_resume_gets_what_was_missed_and_then_live(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(5):
        world.mesh.say("lobby")
    await world.settle(0.1)
    bob = await joined(world, since={"normal": {"epoch": "e1", "seq": 2}})
    world.mesh.say("lobby")
    await world.settle(0.1)
    assert heads_of(bob) == {"urgent": 0, "normal": 2, "bulk": 0}
    assert bob.seqs() == [3, 4, 5, 6]
    assert world.mesh.asked_for(Method.FETCH) == []


async def test_resumes_on_a_cold_node_share_the_trip_to_the_log(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(50):
        world.mesh.say("lobby")
    clients: list[Client] = []

    async def resume(number: int) -> None:
        position = {"epoch": "e1", "seq": 20 + number}
        clients.append(await joined(world, f"u{number}", since={"normal": position}))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(resume, number)
    await world.settle(1)
    for client in clients:
        assert client.seqs() == list(range(heads_of(client)["normal"] + 1, 51))
    assert len(world.mesh.asked_for(Method.FETCH)) == 1


@pytest.mark.parametrize("behind", [5, 95, 130])
async def test_a_resume_gets_all_where_the_log_gives_few_frames_at_once(
    world: World, autojump_clock: MockClock, behind: int
) -> None:
    for _ in range(150):
        world.mesh.say("lobby")
    world.mesh.logs["lobby"].most = 7
    position = {"epoch": "e1", "seq": 150 - behind}
    client = await joined(world, since={"normal": position})
    await world.settle(1)
    assert client.seqs() == list(range(heads_of(client)["normal"] + 1, 151))
    assert len(world.mesh.asked_for(Method.FETCH)) <= behind / 7 + 2


async def test_a_long_resume_while_messages_flow_has_no_hole_and_no_double(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(700):
        world.mesh.say("lobby")
    await world.settle(1)
    bob = world.client()
    request = bob.send(
        "hello",
        token=token("bob"),
        join=[{"room": "lobby", "since": {"normal": {"epoch": "e1", "seq": 3}}}],
    )
    for _ in range(100):
        world.mesh.say("lobby")
        await world.settle(0.001)
    await world.settle(2)
    assert "ok" in (await bob.reply(request))
    assert bob.seqs() == list(range(4, 801))


async def test_urgent_is_live_while_another_stream_catches_up(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(700):
        world.mesh.say("lobby")
    await world.settle(1)
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no logic")
    bob = await joined(world, since={"normal": {"epoch": "e1", "seq": 3}})
    world.mesh.say("lobby", Priority.URGENT)
    world.mesh.say("lobby")
    await world.settle(1)
    assert bob.seqs("urgent") == [1]
    assert bob.seqs("normal") == []
    world.mesh.down = None
    await world.settle(10)
    assert bob.seqs("normal") == list(range(4, 702))


async def test_what_the_log_no_longer_has_is_reset_before_the_rest(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(10):
        world.mesh.say("lobby")
    world.mesh.log("lobby").oldest[Priority.NORMAL] = 6
    bob = await joined(world, since={"normal": {"epoch": "e1", "seq": 2}})
    await world.settle(1)
    assert [(p["push"], p["seq"]) for p in bob.pushes()] == [
        ("reset", 5),
        *[("chat", seq) for seq in range(6, 11)],
    ]


async def test_a_resume_from_an_epoch_that_is_over_is_reset_and_gets_the_new_one(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        world.mesh.say("lobby")
    bob = await joined(world, since={"normal": {"epoch": "e0", "seq": 900}})
    await world.settle(1)
    told = [(p["push"], p["epoch"], p["seq"]) for p in bob.pushes()]
    assert told == [("reset", "e1", 0), *[("chat", "e1", seq) for seq in (1, 2, 3)]]


async def test_a_room_without_messages_gets_its_epoch_with_the_first_one(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.log("lobby").epoch = ""
    ann = await joined(world, "ann")
    world.mesh.log("lobby").epoch = "e1"
    world.mesh.say("lobby")
    assert [(p["push"], p["epoch"], p["seq"]) for p in ann.pushes()] == [("chat", "e1", 1)]
    bob = await joined(world, since={"normal": {"epoch": "", "seq": 0}})
    world.mesh.say("lobby")
    await world.settle(1)
    assert [(p["push"], p["seq"]) for p in bob.pushes()] == [("chat", 1), ("chat", 2)]


async def test_a_number_that_was_never_given_is_reset(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby")
    bob = await joined(world, since={"normal": {"epoch": "e1", "seq": 900}})
    world.mesh.say("lobby")
    await world.settle(5)
    assert [(p["push"], p["seq"]) for p in bob.pushes()] == [("reset", 1), ("chat", 2)]


async def test_a_client_from_a_node_that_was_ahead_gets_nothing_twice(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        world.mesh.say("lobby", lost=True)
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no logic")
    bob = await joined(world, since={"normal": {"epoch": "e1", "seq": 2}})
    world.mesh.down = None
    world.mesh.heads("lobby")
    await world.settle(1)
    assert ann.seqs() == [1, 2, 3]
    assert bob.seqs() == [3]


async def test_a_slow_client_is_not_flooded_by_its_own_resume(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(500):
        world.mesh.say("lobby", fields={"text": "x" * 500})
    await world.settle(1)
    bob = world.client()
    await bob.hello("bob")
    bob.connection.queued_bytes = 100_000
    bob.send("join", room="lobby", since={"normal": {"epoch": "e1", "seq": 0}})
    await world.settle(5)
    assert bob.seqs() == []
    bob.connection.queued_bytes = 0
    await world.settle(5)
    assert bob.seqs() == list(range(1, 501))


async def test_history_comes_first_and_the_answer_says_from_where(
    world: World, autojump_clock: MockClock
) -> None:
    for _ in range(20):
        world.mesh.say("lobby")
    world.mesh.say("lobby", Priority.URGENT)
    world.mesh.say("lobby", Priority.BULK)
    bob = await joined(world, history=5)
    world.mesh.say("lobby")
    await world.settle(1)
    assert heads_of(bob) == {"urgent": 0, "normal": 15, "bulk": 1}
    assert bob.seqs() == [16, 17, 18, 19, 20, 21]
    assert bob.seqs("urgent") == [1]
    assert bob.seqs("bulk") == []


async def test_history_with_the_log_away_is_what_the_node_has(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        world.mesh.say("lobby")
    await world.settle(0.1)
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no logic")
    bob = await joined(world, history=50)
    await world.settle(0.1)
    assert bob.seqs() == [1, 2, 3]


async def test_joining_again_starts_from_the_new_place(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    for _ in range(3):
        world.mesh.say("lobby")
    await world.settle(0.1)
    await ann.ask("join", room="lobby", since={"normal": {"epoch": "e1", "seq": 1}})
    world.mesh.say("lobby")
    await world.settle(0.1)
    assert ann.seqs() == [1, 2, 3, 2, 3, 4]
    assert world.node.rooms.with_members == 1


# -- opening and closing


async def test_interest_is_withdrawn_a_while_after_the_last_member(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.edge.hang_up(ann.connection)
    await world.settle(4)
    assert world.mesh.wanted == {"lobby"}
    await world.settle(2)
    assert world.mesh.wanted == set()
    assert len(world.node.rooms) == 0


async def test_who_comes_back_in_time_finds_the_room_warm(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.edge.hang_up(ann.connection)
    await world.settle(4)
    bob = await joined(world)
    await world.settle(4)
    assert world.mesh.wanted == {"lobby"}
    world.edge.hang_up(bob.connection)
    await world.settle(4)
    assert world.mesh.wanted == {"lobby"}
    await world.settle(2)
    assert world.mesh.wanted == set()
    assert len(world.mesh.asked_for(Method.HEADS)) == 1


async def test_a_room_that_failed_to_open_is_tried_anew(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE, "no logic", retry_after_ms=500)
    client = world.client()
    await client.hello("ann")
    reply = await client.ask("join", room="lobby")
    assert reply["error"] == {
        "code": "unavailable",
        "message": "no logic",
        "retry_after_ms": 500,
    }
    assert world.mesh.wanted == set()
    world.mesh.down = None
    assert "ok" in await client.ask("join", room="lobby")


async def test_a_join_that_takes_too_long_times_out_and_leaves_nothing_behind(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.confirm = trio.Event()
    client = world.client()
    await client.hello("ann")
    reply = await client.ask("join", room="lobby")
    assert reply["error"]["code"] == "timeout"
    assert reply["error"]["retry_after_ms"] > 0
    world.mesh.confirm.set()
    await world.settle(20)
    assert len(world.node.rooms) == 0


async def test_joins_that_wait_are_bounded(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(room=RoomSettings(max_joining=1))
    world.mesh.confirm = trio.Event()
    client = world.client()
    await client.hello("ann")
    first = client.send("join", room="a")
    await world.settle(0.1)
    refused = await client.ask("join", room="b")
    assert refused["error"]["code"] == "overloaded"
    assert refused["error"]["retry_after_ms"] > 0
    world.mesh.confirm.set()
    assert "ok" in await client.reply(first)


async def test_totals_come_from_the_last_pushes(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.say("lobby", Priority.BULK, "likes", {"total": 41, "ts": 1})
    world.mesh.say("lobby", Priority.BULK, "online", {"online": 7, "ts": 1})
    bob = world.client()
    ok = await bob.hello("bob", join=[{"room": "lobby"}])
    assert (ok["rooms"]["lobby"]["likes"], ok["rooms"]["lobby"]["online"]) == (41, 7)


async def test_messages_are_counted_and_timed(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    await joined(world)
    world.now_ms = NOW_MS + 30
    world.mesh.say("lobby")
    await world.settle(0.1)
    counters = world.node.counters
    assert counters.deliveries == [0, 2, 0]
    assert counters.latency[Priority.NORMAL].sum_ms == 30


async def test_too_much_that_waits_is_thinned_and_told(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(room=RoomSettings(max_pending=10))
    client = await joined(world)
    for _ in range(30):
        world.mesh.say("lobby")
    await world.settle(1)
    seen = 0
    for push in client.pushes():
        first = push["from"] if push["push"] == "skipped" else push["seq"]
        assert first == seen + 1
        seen = push["to"] if push["push"] == "skipped" else push["seq"]
    assert seen == 30
    dropped = world.node.counters.drops["pending_full", Priority.NORMAL]
    assert dropped == 30 - len(client.pushes("chat"))
    assert dropped > 0


async def test_a_body_passes_unread(world: World, ann: Client, autojump_clock: MockClock) -> None:
    world.mesh.say("lobby", fields={"text": "é \u0001 😀"})
    (_, message) = ann.connection.sent[-1]
    frame = world.mesh.log("lobby").frames[Priority.NORMAL][0]
    assert message == b"[" + frame + b"]"
    assert json.loads(message)[0]["seq"] == 1
