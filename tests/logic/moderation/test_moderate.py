import json

import pytest
import trio

from proto.errors import ErrorCode, RequestError
from proto.headers import decode_heads
from proto.moderation import Bound, StateBody
from proto.services import CensusBody, Method, RoomCensus, encode
from proto.topics import Topic

START_MS = 1_790_000_000_000


@pytest.fixture
def moderate(ask, logic):
    """Ask for an action as `mo`, a moderator; returns the `ok`, or the error's code and field."""

    async def moderate(action, uid=None, *, by="mo", role="moderator", grants=None, **fields):
        body = {"op": "moderate", "action": action} | fields
        body |= {name: value for name, value in (("uid", uid), ("role", grants)) if value}
        try:
            return await ask(logic, Method.MODERATE, body, uid=by, role=role)
        except RequestError as error:
            return error.body.code.value, error.body.field

    return moderate


@pytest.fixture
def publish(ask, logic):
    async def publish(op="chat", *, uid="ann", role="viewer", **fields):
        body = {"op": op, "text": "x"} | fields
        try:
            return await ask(logic, Method.PUBLISH, body, uid=uid, role=role)
        except RequestError as error:
            return error.body.code.value, error.body.field, error.body.retry_after_ms

    return publish


async def test_a_mute_is_answered_told_in_the_urgent_stream_and_holds(
    autojump_clock, ask, world, running, moderate
):
    logic, _ = await running()
    body = {"op": "moderate", "action": "mute", "uid": "ann", "for_s": 60, "reason": "spam"}
    ok = await ask(logic, Method.MODERATE, body | {"mid": "m1"}, uid="mo", role="moderator")
    epoch = (await world.room_log.heads("a")).epoch
    assert ok == {
        "room": "a",
        "action": "mute",
        "uid": "ann",
        "until_ms": START_MS + 60_000,
        "epoch": epoch,
        "seq": 1,
        "ts": START_MS,
        "mid": "m1",
    }
    await trio.testing.wait_all_tasks_blocked(0.01)
    (record,) = world.records(Topic.URGENT)
    assert json.loads(record.body) == {
        "epoch": epoch,
        "seq": 1,
        "push": "moderation",
        "room": "a",
        "priority": "urgent",
        "action": "mute",
        "uid": "ann",
        "by": "mo",
        "name": "Ann",
        "by_role": "moderator",
        "until_ms": START_MS + 60_000,
        "interval_ms": 0,
        "role": "",
        "reason": "spam",
        "mid": "m1",
        "ts": START_MS,
        "trace": "t1",
    }
    with pytest.raises(RequestError) as caught:
        await ask(logic, Method.PUBLISH, {"op": "chat", "text": "x"})
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.MUTED, "room")
    assert await ask(logic, Method.MODERATE, body | {"mid": "m1"}, uid="mo", role="moderator") == ok


async def test_a_mute_goes_with_its_time_or_an_unmute(autojump_clock, moderate, publish):
    await moderate("mute", "ann", for_s=5)
    assert await publish() == ("muted", "room", 5000)
    await trio.sleep(5)
    assert "seq" in await publish()
    await moderate("mute", "ann")
    assert await publish() == ("muted", "room", 0)
    await moderate("unmute", "ann")
    assert "seq" in await publish()


async def test_slow_mode_is_for_viewers_chat(autojump_clock, moderate, publish):
    await moderate("slow", interval_s=10)
    assert "seq" in await publish()
    assert await publish() == ("rate_limited", "room", 10_000)
    for role in ("moderator", "host", "server"):
        for _ in range(2):
            assert "seq" in await publish(uid=role, role=role)
    await trio.sleep(10)
    assert "seq" in await publish()
    await moderate("unslow")
    assert "seq" in await publish()


async def test_a_kick_leaves_nothing_behind(autojump_clock, moderate, world):
    ok = await moderate("kick", "ann", reason="out")
    assert (ok["until_ms"], ok["seq"]) == (0, 1)
    assert await world.moderation.entries("a") == []


async def test_a_role_that_was_given_counts_until_it_is_taken_back(autojump_clock, moderate):
    grant = {"grants": "moderator"}
    assert await moderate("mute", "ann", by="eve", role="viewer") == ("forbidden", "action")
    assert "seq" in await moderate("grant", "eve", by="hans", role="host", **grant)
    assert "seq" in await moderate("mute", "ann", by="eve", role="viewer")
    assert await moderate("ban", "eve", by="mo") == ("forbidden", "uid"), "an equal"
    assert await moderate("kick", "mo", by="mo") == ("forbidden", "uid"), "oneself"
    assert await moderate("grant", "bob", by="eve", role="viewer", **grant) == (
        "forbidden",
        "action",
    )
    assert await moderate("grant", "bob", by="hans", role="host", grants="host") == (
        "forbidden",
        "role",
    )
    assert "seq" in await moderate("grant", "bob", by="shop", role="server", grants="host")
    assert await moderate("revoke_role", "bob", by="hans", role="host") == ("forbidden", "uid")
    assert "seq" in await moderate("revoke_role", "eve", by="bob", role="viewer")
    assert await moderate("mute", "ann", by="eve", role="viewer") == ("forbidden", "action")


async def test_who_is_host_by_its_token_is_safe_from_moderators(
    autojump_clock, ask, logic, moderate
):
    body = CensusBody([RoomCensus("a", 2, staff=[("hans", "host")])])
    assert await ask(logic, Method.CENSUS, body) == b""
    assert await moderate("ban", "hans") == ("forbidden", "uid")
    assert await moderate("ban", "hans", by="ida", role="host") == ("forbidden", "uid")
    assert "seq" in await moderate("ban", "hans", by="shop", role="server")
    for staff in (("hans", "server"), ("ha ns", "host")):
        bad = CensusBody([RoomCensus("a", 2, staff=[staff])])
        with pytest.raises(RequestError) as caught:
            await ask(logic, Method.CENSUS, bad)
        assert caught.value.body.field == "staff"


async def test_a_moderator_undoes_nothing_that_a_host_has_done(autojump_clock, moderate, publish):
    assert "seq" in await moderate("ban", "ann", by="hans", role="host")
    assert await moderate("unban", "ann") == ("forbidden", "action")
    assert await moderate("ban", "ann", for_s=1) == ("forbidden", "action")
    assert await publish() == ("banned", "room", 0)
    assert "seq" in await moderate("unban", "ann", by="ida", role="host")
    assert "seq" in await publish()


async def test_a_role_may_be_given_for_a_time(autojump_clock, moderate):
    assert "seq" in await moderate("grant", "eve", by="h", role="host", grants="moderator", for_s=9)
    assert "seq" in await moderate("slow", by="eve", role="viewer", interval_s=5)
    await trio.sleep(9)
    assert await moderate("unslow", by="eve", role="viewer") == ("forbidden", "action")


async def test_what_is_asked_for_must_fit_its_action(autojump_clock, moderate, world):
    assert await moderate("mute") == ("bad_frame", "uid")
    assert await moderate("slow", "ann", interval_s=5) == ("bad_frame", "uid")
    assert await moderate("slow") == ("bad_frame", "interval_s")
    assert await moderate("mute", "ann", interval_s=5) == ("bad_frame", "interval_s")
    assert await moderate("kick", "ann", for_s=5) == ("bad_frame", "for_s")
    assert await moderate("unban", "ann", for_s=5) == ("bad_frame", "for_s")
    assert await moderate("shout", "ann") == ("bad_frame", "")
    assert (await world.room_log.heads("a")).seqs == (0, 0, 0)


async def test_moderators_are_held_to_the_limit_on_urgent_messages(autojump_clock, moderate):
    for _ in range(10):
        assert "seq" in await moderate("kick", "ann")
    assert await moderate("kick", "ann") == ("rate_limited", "")
    for _ in range(12):
        assert "seq" in await moderate("kick", "ann", by="shop", role="server")


async def test_whoever_opens_the_room_is_told_what_holds(autojump_clock, ask, logic, moderate):
    await moderate("slow", interval_s=5)
    assert decode_heads(await ask(logic, Method.HEADS)).standing is None
    await moderate("ban", "ann", for_s=60)
    await moderate("mute", "bob")
    standing = decode_heads(await ask(logic, Method.HEADS)).standing
    assert standing.bans == {"ann": Bound(START_MS + 60_000, 1)}
    assert standing.mutes == {"bob": Bound(0, 1)}
    await moderate("unban", "ann")
    assert decode_heads(await ask(logic, Method.HEADS)).standing.bans == {}


async def test_moderators_read_the_state_page_by_page(autojump_clock, ask, logic, moderate):
    for number in range(5):
        await moderate("ban", f"u{number}", reason="r")
    seen, cursor = [], ""
    while True:
        body = encode(StateBody(cursor, 2))
        state = await ask(logic, Method.MODERATION, body, uid="mo", role="moderator")
        assert state["room"] == "a"
        seen += state["entries"]
        cursor = state["cursor"]
        if not cursor:
            break
    assert [entry["uid"] for entry in seen] == [f"u{number}" for number in range(5)]
    assert seen[0] == {
        "kind": "ban",
        "uid": "u0",
        "by": "mo",
        "by_role": "moderator",
        "reason": "r",
    }
    for body, header, code in [
        (encode(StateBody()), {"role": "viewer"}, "forbidden"),
        (encode(StateBody(limit=0)), {"role": "host"}, "bad_frame"),
        (encode(StateBody()), {"role": "host", "room": "a b"}, "bad_frame"),
    ]:
        with pytest.raises(RequestError) as caught:
            await ask(logic, Method.MODERATION, body, **header)
        assert caught.value.body.code == code
