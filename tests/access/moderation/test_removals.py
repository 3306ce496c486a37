"""Bans, kicks and roles at an access node: by the room's urgent stream, however it arrives."""

import json

import pytest
import trio

from proto.errors import ErrorCode, RequestError
from proto.moderation import Bound, Standing
from proto.priorities import Priority
from proto.services import Method
from tests.access.cluster import NOW_MS, token

ROOM = "lobby"
LOBBY = {"join": [{"room": ROOM}]}


@pytest.fixture
def moderated(world):
    """Have the room's urgent stream tell of an action."""

    def moderated(action, uid="ann", *, lost=False, **fields):
        told = {
            "action": action,
            "uid": uid,
            "by": "mo",
            "name": "Mo",
            "by_role": "moderator",
            "until_ms": 0,
            "interval_ms": 0,
            "role": "",
            "reason": "",
            "mid": "m",
            "ts": NOW_MS,
            "trace": "t",
        }
        return world.mesh.say(ROOM, Priority.URGENT, "moderation", told | fields, lost=lost)

    return moderated


def removed(client):
    return [
        (push["room"], push["reason"], push["until_ms"], push["message"])
        for push in client.pushes("removed")
    ]


async def code(request):
    reply = await request
    return reply["error"]["code"] if "error" in reply else "ok"


async def test_who_is_banned_is_sent_out_with_all_its_connections(
    world, ann, moderated, autojump_clock
):
    second, bob = world.client(), world.client()
    await second.hello("ann", **LOBBY)
    await bob.hello("bob", **LOBBY)
    moderated("ban", until_ms=NOW_MS + 9000, reason="spam")
    await world.settle(0.1)
    for client in (ann, second):
        assert removed(client) == [(ROOM, "banned", NOW_MS + 9000, "spam")]
        assert client.pushes("moderation") == []
        assert await code(client.ask("chat", room=ROOM, text="x")) == "not_joined"
    assert [push["action"] for push in bob.pushes("moderation")] == ["ban"]
    assert len(world.node.rooms.get(ROOM).seats) == 1
    world.mesh.say(ROOM)
    await world.settle(0.1)
    assert (len(bob.pushes("chat")), ann.pushes("chat")) == (1, [])
    reply = await ann.ask("join", room=ROOM)
    assert (reply["error"]["code"], reply["error"]["retry_after_ms"]) == ("banned", 9000)
    again = world.client()
    rooms = (await again.hello("ann", **LOBBY))["rooms"]
    assert rooms[ROOM]["error"]["code"] == "banned"
    world.now_ms += 9000
    assert await code(ann.ask("join", room=ROOM)) == "ok"
    assert world.node.counters.removed == {"banned": 2}


async def test_who_is_kicked_may_come_back(world, ann, moderated, autojump_clock):
    moderated("kick", reason="calm down")
    await world.settle(0.1)
    assert removed(ann) == [(ROOM, "kicked", 0, "calm down")]
    assert await code(ann.ask("join", room=ROOM)) == "ok"
    assert len(ann.pushes("removed")) == 1


async def test_a_ban_that_comes_when_it_is_over_sends_nobody_out(
    world, ann, moderated, autojump_clock
):
    moderated("ban", until_ms=NOW_MS - 1)
    await world.settle(0.1)
    assert removed(ann) == []


async def test_a_new_token_has_its_role_count_at_once(world, moderated, autojump_clock):
    mo = world.client()
    await mo.hello("mo", mod=(ROOM,), **LOBBY)
    moderated("ban", "mo")
    await world.settle(2)
    assert removed(mo) == []
    assert world.mesh.census[-1].staff == [("mo", "moderator")]
    other = token("mo", host=(ROOM,))
    assert await code(mo.ask("refresh", token=other)) == "ok"
    await world.settle(2)
    assert world.mesh.census[-1].staff == [("mo", "host")]
    assert await code(mo.ask("refresh", token=token("mo"))) == "ok"
    assert removed(mo) == [(ROOM, "banned", 0, "")]
    assert await code(mo.ask("chat", room=ROOM, text="x")) == "not_joined"


async def test_who_stands_as_high_stays(world, moderated, autojump_clock):
    host = world.client()
    await host.hello("hans", host=(ROOM,), **LOBBY)
    moderated("ban", "hans")
    await world.settle(0.1)
    assert removed(host) == []
    assert await code(host.ask("join", room=ROOM)) == "ok"


async def test_a_ban_that_was_lost_is_repaired(world, ann, moderated, autojump_clock):
    moderated("ban", lost=True)
    await world.settle(0.1)
    assert removed(ann) == []
    world.mesh.heads(ROOM)
    await world.settle(2)
    assert removed(ann) == [(ROOM, "banned", 0, "")]


async def test_a_ban_that_the_log_has_no_more_is_read_from_the_state(
    world, ann, moderated, autojump_clock
):
    bob = world.client()
    await bob.hello("bob", **LOBBY)
    moderated("ban", lost=True)
    world.mesh.log(ROOM).oldest[Priority.URGENT] = 2
    world.mesh.standings[ROOM] = Standing({"ann": Bound(NOW_MS + 50, 1)}, {}, {})
    world.mesh.heads(ROOM)
    await world.settle(3)
    assert removed(ann) == [(ROOM, "banned", NOW_MS + 50, "")]
    assert removed(bob) == []
    assert bob.pushes("reset")


async def test_the_state_is_asked_for_until_it_is_known_and_loses_no_later_change(
    world, ann, moderated, autojump_clock
):
    moderated("kick", "nobody", lost=True)
    world.mesh.log(ROOM).oldest[Priority.URGENT] = 2
    failed = []

    async def fail_heads_twice(method):
        if method is Method.HEADS and len(failed) < 2:
            failed.append(method)
            moderated("mute")
            raise RequestError(ErrorCode.UNAVAILABLE)

    world.mesh.before_answer = fail_heads_twice
    world.mesh.heads(ROOM)
    await world.settle(5)
    assert len(failed) == 2
    assert await code(ann.ask("like", room=ROOM)) == "muted"


async def test_a_ban_while_one_comes_in_keeps_it_out(world, moderated, autojump_clock):
    bob, late = world.client(), world.client()
    await bob.hello("bob", **LOBBY)
    world.mesh.confirm = trio.Event()  # the lobby is open, the den takes a while
    both = [{"room": ROOM}, {"room": "den"}]
    joining = late.send("hello", token=token("late"), join=both)
    await world.settle(0.1)
    moderated("ban", "late")
    await world.settle(0.1)
    world.mesh.confirm.set()
    rooms = (await late.reply(joining))["ok"]["rooms"]
    assert (rooms[ROOM]["error"]["code"], rooms["den"]["role"]) == ("banned", "viewer")
    lobby = world.node.rooms.get(ROOM)
    assert ([seat.uid for seat in lobby.seats.values()], lobby.holds) == (["bob"], 0)


async def test_a_role_that_was_given_counts_at_the_edge(world, ann, moderated, autojump_clock):
    assert await code(ann.ask("speech", room=ROOM, text="x")) == "forbidden"
    moderated("grant", role="host", by_role="server")
    await world.settle(0.1)
    assert await code(ann.ask("speech", room=ROOM, text="x")) == "ok"
    assert (await ann.ask("join", room=ROOM))["ok"]["role"] == "host"
    assert world.mesh.asked_for(Method.PUBLISH)[-1].facts["role"] == "host"
    moderated("revoke_role")
    await world.settle(0.1)
    assert await code(ann.ask("speech", room=ROOM, text="x")) == "forbidden"


async def test_a_room_opens_with_what_holds_in_it(world, autojump_clock):
    world.mesh.standings[ROOM] = Standing(
        {"ann": Bound(0, 2)}, {"bob": Bound(0, 2)}, {"mo": ("moderator", 0)}
    )
    codes = {}
    for uid in ("ann", "bob", "mo"):
        client = world.client()
        room = (await client.hello(uid, **LOBBY))["rooms"][ROOM]
        codes[uid] = room["error"]["code"] if "error" in room else room["role"]
        if uid == "bob":
            assert await code(client.ask("like", room=ROOM)) == "muted"
    assert codes == {"ann": "banned", "bob": "viewer", "mo": "moderator"}


async def test_a_moderators_request_goes_up_unread(world, autojump_clock):
    mo = world.client()
    await mo.hello("mo", mod=(ROOM,), **LOBBY)
    fields = {"room": ROOM, "action": "ban", "uid": "ann", "for_s": 60, "mid": "m1"}
    ok = (await mo.ask("moderate", **fields))["ok"]
    (asked,) = world.mesh.asked_for(Method.MODERATE)
    assert ok == {"asked": json.loads(asked.body)}
    assert (asked.priority, asked.facts["role"]) == (Priority.URGENT, "moderator")
    assert (asked.facts["uid"], asked.facts["room"], asked.facts["repeatable"]) == (
        "mo",
        ROOM,
        True,
    )
    assert await code(mo.ask("moderate", room=ROOM, action="ban")) == "bad_frame"
    assert await code(mo.ask("moderate", room="den", action="ban", uid="a")) == "not_joined"
    assert len(world.mesh.asked_for(Method.MODERATE)) == 1


async def test_a_push_that_cannot_be_read_harms_nobody(world, ann, autojump_clock):
    world.mesh.say(ROOM, Priority.URGENT, "moderation", {"action": "explode"})
    world.mesh.say(ROOM, Priority.URGENT, "speech", {"text": "x"})
    await world.settle(0.1)
    assert [push["push"] for push in ann.pushes()] == ["moderation", "speech"]


async def test_staff_is_reported_with_the_census(world, ann, autojump_clock):
    for uid, claims in (("mo", {"mod": (ROOM,)}), ("hans", {"host": (ROOM,)})):
        await world.client().hello(uid, **claims, **LOBBY)
    await world.settle(2)
    (reported,) = [room for room in world.mesh.census if room.staff]
    assert reported.staff == [("hans", "host"), ("mo", "moderator")]
