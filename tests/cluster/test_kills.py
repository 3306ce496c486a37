"""Processes are killed while clients that know only the document send and watch: what was
acknowledged arrives everywhere, once, in order, and every request is answered in the end."""

import contextlib
import random
from collections import Counter

import pytest
import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Viewer

KINDS = {
    "access": ["access-1", "access-2"],
    "relay": ["relay-1", "relay-2"],
    "router": ["router-1"],
    "logic": ["logic-1"],
    "redis-store": ["redis-store"],
    "redis-bus": ["redis-bus"],
}
VIEWERS = 6
TALKERS = 3
SETTLED_WITHIN_S = 25.0


class Crowd:
    """Viewers of one room; the first of them talk, each message with an id of its own."""

    def __init__(self, cluster: Cluster, room: str) -> None:
        self._cluster = cluster
        self.viewers = [
            Viewer(cluster.urls, cluster.token(f"viewer-{n}", host=[room]), room)
            for n in range(VIEWERS)
        ]
        self._talking = True
        self._silent = trio.Event()

    async def run(self) -> None:
        """Watch, and talk until `settle`."""
        async with trio.open_nursery() as nursery:
            for viewer in self.viewers:
                await nursery.start(viewer.run)
            async with trio.open_nursery() as talkers:
                for viewer in self.viewers[:TALKERS]:
                    talkers.start_soon(self._talk, viewer, "chat", 0.03)
                talkers.start_soon(self._talk, self.viewers[0], "speech", 0.3)
                for viewer in self.viewers:
                    talkers.start_soon(self._like, viewer)
            self._silent.set()
            await trio.sleep_forever()

    async def _talk(self, viewer: Viewer, op: str, pause_s: float) -> None:
        number = self.viewers.index(viewer)
        said = 0
        while self._talking:
            await viewer.publish(op, f"{op}-{number}-{said}", text=str(said))
            said += 1
            await trio.sleep(pause_s)

    async def _like(self, viewer: Viewer) -> None:
        while self._talking:
            await viewer.like(7)
            await trio.sleep(0.1)

    @property
    def acked(self) -> int:
        """How many messages were acknowledged so far."""
        return sum(len(viewer.acked) for viewer in self.viewers)

    async def settle(self) -> None:
        """Stop talking, and wait until everybody has everything that was acknowledged."""
        self._talking = False
        with trio.fail_after(SETTLED_WITHIN_S):
            await self._silent.wait()
            while any(self.missing(viewer) for viewer in self.viewers):
                await trio.sleep(0.05)
            counted = sum(viewer.likes_counted for viewer in self.viewers)
            while not all(self.total(viewer) >= counted for viewer in self.viewers):
                await trio.sleep(0.05)

    def total(self, viewer: Viewer) -> int:
        """Return the room's likes as `viewer` was last told."""
        totals = [p["total"] for p in viewer.tracks["bulk"].seen if p["push"] == "likes"]
        assert totals == sorted(totals)
        return max(totals, default=0)

    def missing(self, viewer: Viewer) -> set[str]:
        """Return what was acknowledged and has not come to `viewer`."""
        got = {*viewer.mids("normal"), *viewer.mids("urgent")}
        return {mid for each in self.viewers for mid in each.acked} - got

    def require_order(self) -> None:
        """Require that all saw the same, once and in order, and what the answers said."""
        counted = sum(viewer.likes_counted for viewer in self.viewers)
        uncertain = sum(viewer.likes_uncertain for viewer in self.viewers)
        assert counted > 0
        for viewer in self.viewers:
            assert counted <= self.total(viewer) <= counted + uncertain
        acked = {mid: ok for viewer in self.viewers for mid, ok in viewer.acked.items()}
        for viewer in self.viewers:
            for priority in ("normal", "urgent"):
                track = viewer.tracks[priority]
                assert not track.skipped, track.skipped
                assert not track.resets, track.resets
                doubled = [m for m, n in Counter(viewer.mids(priority)).items() if n > 1]
                assert not doubled
                for push in track.seen:
                    ok = acked[push["mid"]]
                    assert (push["epoch"], push["seq"]) == (ok["epoch"], ok["seq"])
                for number in range(TALKERS):
                    mine = [p for p in track.seen if p["uid"] == f"viewer-{number}"]
                    assert [int(p["text"]) for p in mine] == list(range(len(mine)))


async def watched_kills(cluster: Cluster, room: str, *nodes: str) -> None:
    """Kill `nodes` one after the other while a crowd talks."""
    crowd = Crowd(cluster, room)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        await more_acked(crowd, 20)
        for node in nodes:
            restarts = cluster.record[node]["restarts"]
            cluster.kill(node)
            with trio.fail_after(SETTLED_WITHIN_S):
                while cluster.record[node]["restarts"] == restarts:
                    await trio.sleep(0.02)
            await more_acked(crowd, 30)
        await crowd.settle()
        nursery.cancel_scope.cancel()
    crowd.require_order()


async def more_acked(crowd: Crowd, number: int) -> None:
    """Wait until that many more messages were acknowledged: the room works."""
    goal = crowd.acked + number
    with trio.fail_after(SETTLED_WITHIN_S):
        while crowd.acked < goal:
            await trio.sleep(0.02)


@pytest.mark.cluster_long
@pytest.mark.parametrize("kind", KINDS)
async def test_a_killed_process_loses_doubles_and_disorders_nothing(
    cluster: Cluster, room: str, kind: str
) -> None:
    await watched_kills(cluster, room, *KINDS[kind])


@pytest.mark.cluster_long
@pytest.mark.parametrize("seed", range(2))
async def test_kills_at_any_time_in_any_order(cluster: Cluster, room: str, seed: int) -> None:
    rng, crowd = random.Random(seed), Crowd(cluster, room)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        await more_acked(crowd, 20)
        for _ in range(15):
            node = rng.choice(sorted(cluster.record))
            with contextlib.suppress(ProcessLookupError):  # it was killed a moment ago
                cluster.kill(node)
            await trio.sleep(rng.uniform(0.0, 1.2))
        await more_acked(crowd, 50)
        await crowd.settle()
        nursery.cancel_scope.cancel()
    crowd.require_order()


@pytest.mark.cluster_long
async def test_a_store_and_its_users_killed_at_once(cluster: Cluster, room: str) -> None:
    crowd = Crowd(cluster, room)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.run)
        await more_acked(crowd, 20)
        for node in ("redis-store", "redis-bus", "logic-1", "router-1", "relay-1"):
            cluster.kill(node)
        await trio.sleep(1)
        await more_acked(crowd, 50)
        await crowd.settle()
        nursery.cancel_scope.cancel()
    crowd.require_order()


@pytest.mark.cluster_long
async def test_a_killed_relay_is_not_noticed(cluster: Cluster, room: str) -> None:
    await watched_kills(cluster, room, "relay-1")
