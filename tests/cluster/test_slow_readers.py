"""Clients that do not read: thinned or sent away as documented, and nobody else held up."""

from typing import Any

import trio

from tests.cluster.conftest import Bystander, Cluster
from tests.cluster.independent_client import Track, greeted

LARGE = "x" * 30_000


async def publish_many(cluster: Cluster, room: str, number: int, priority: str) -> None:
    """Have a back end publish large notices, some at once."""
    limit = trio.CapacityLimiter(8)

    async def publish(n: int) -> None:
        async with limit:
            body = {"data": [n, LARGE], "priority": priority}
            status, answer = await cluster.publish(f"/v1/rooms/{room}/publish", body)
            assert status == 200, answer

    async with trio.open_nursery() as nursery:
        for n in range(number):
            nursery.start_soon(publish, n)


async def test_who_does_not_read_is_thinned_and_told(
    cluster: Cluster, bystander: Bystander, room: str
) -> None:
    """Urgent messages come whole; of the others as much as fits, and the rest is named."""
    busy = f"{room}-busy"
    async with (
        greeted(cluster.access[1], cluster.token("sleepy")) as sleepy,
        greeted(cluster.access[0], cluster.token("host", host=[busy]), busy) as host,
    ):
        joined = await sleepy.request("join", room=busy)
        tracks = {label: Track() for label in joined["streams"]}
        for label, position in joined["streams"].items():
            tracks[label].position = dict(position)
        sleepy.on_push = lambda push: note(tracks, push)
        sleepy.may_read = awake = trio.Event()
        await publish_many(cluster, busy, 90, "normal")
        spoken = [await host.request("speech", room=busy, text=str(n)) for n in range(5)]
        last = await host.request("chat", room=busy, text="last")
        thinned = await cluster.metric("access", "relaymesh_edge_thinned_total", priority="normal")
        assert thinned > 0
        awake.set()
        await sleepy.until(lambda: at(tracks, "normal") == last["seq"])
        await sleepy.until(lambda: at(tracks, "urgent") == spoken[-1]["seq"])
        assert [push["text"] for push in tracks["urgent"].seen] == ["0", "1", "2", "3", "4"]
        assert not tracks["urgent"].skipped
        assert tracks["normal"].skipped
        assert not any(track.resets for track in tracks.values())
        told = sum(last - first + 1 for first, last in tracks["normal"].skipped)
        assert len(tracks["normal"].seen) + told == last["seq"]
        first = tracks["normal"].skipped[0][0]
        missed = {"priority": "normal", "epoch": last["epoch"], "from_": first, "to": first}
        again = await sleepy.request("fetch", room=busy, **missed)
        assert [frame["seq"] for frame in again["frames"]] == [first]


def note(tracks: dict[str, Track], push: dict[str, Any]) -> None:
    tracks[push["priority"]].take(push, resumed=False)


def at(tracks: dict[str, Track], priority: str) -> int:
    position = tracks[priority].position
    assert position is not None
    seq: int = position["seq"]
    return seq
