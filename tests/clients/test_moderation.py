"""What becomes of a client in a room that is moderated."""

import pytest
from fake_cluster import FakeCluster
from test_client import lobby, until

from relaymesh_client import Disconnected, Joined, Push, Refused, Removed


async def told(cluster: FakeCluster, frame: dict[str, object]) -> None:
    await cluster.connections[0].push(frame)


async def test_who_was_sent_out_is_told_and_does_not_come_back(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, events):
        out = {"push": "removed", "room": "lobby", "reason": "banned", "until_ms": 9}
        await told(cluster, out | {"message": "spam"})
        assert await until(events, Removed) == Removed("lobby", "banned", 9, "spam")
        await cluster.close_all(1012)
        await until(events, Disconnected)
        await ann.ping()
        hellos = [frame for frame in cluster.requests if frame["op"] == "hello"]
        assert len(hellos) == 2
        assert "join" not in hellos[-1]
        await ann.join("lobby")
        assert (await until(events, Joined)).resumed is False


async def test_a_removal_from_a_room_that_was_left_says_nothing(cluster: FakeCluster) -> None:
    async with lobby(cluster) as (ann, events):
        await told(cluster, {"push": "removed", "room": "den", "reason": "kicked"})
        await ann.chat("lobby", "still here")
        assert (await until(events, Push)).frame["text"] == "still here"


async def test_slow_mode_is_for_a_person_to_know(cluster: FakeCluster) -> None:
    error = {"code": "rate_limited", "message": "slow", "field": "room", "retry_after_ms": 1}
    cluster.refuse = lambda frame: error if frame["op"] == "chat" else None
    async with lobby(cluster) as (ann, _):
        with pytest.raises(Refused) as caught:
            await ann.chat("lobby", "too soon")
        assert (caught.value.code, caught.value.retry_after_ms) == ("rate_limited", 1)
        assert [frame["op"] for frame in cluster.requests].count("chat") == 1


async def test_a_moderator_asks_once_however_often_it_has_to(cluster: FakeCluster) -> None:
    errors = [{"code": "overloaded", "message": "busy", "retry_after_ms": 1}]
    cluster.refuse = lambda frame: errors.pop() if frame["op"] == "moderate" and errors else None
    async with lobby(cluster) as (ann, _):
        await ann.moderate("lobby", "ban", "bob", for_s=60, reason="spam")
        first, second = [frame for frame in cluster.requests if frame["op"] == "moderate"]
        assert first == second
        assert first["mid"]
        fields = {name: first[name] for name in first if name not in ("id", "mid")}
        assert fields == {
            "op": "moderate",
            "room": "lobby",
            "action": "ban",
            "uid": "bob",
            "for_s": 60,
            "reason": "spam",
        }
