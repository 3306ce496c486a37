"""Presence in a real cluster: when a node is killed, and when Redis has lost its data."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.cluster.conftest import PATIENCE_S, Cluster
from tests.cluster.independent_client import Connection, connected

pytestmark = pytest.mark.cluster_long

AFTER_THE_LEASE_S = 2.0
LEASE_OF_ANOTHER = "rm:{nodes}:lease:access-2"
"""Of the node that Bob is on: docs/store.md."""


@pytest.mark.timed
async def test_a_killed_node_s_users_are_offline_soon_after_its_lease(
    cluster: Cluster, room: str
) -> None:
    async with two_friends(cluster, room) as (ann, _):
        watched = await watching(ann, room)
        with cluster.without_restarts():
            cluster.kill("access-2")
            lease_s = float(cluster.server("store").pttl(LEASE_OF_ANOTHER)) / 1000
            killed_at = time.monotonic()
            await ann.until(lambda: states(ann, watched))
            took_s = time.monotonic() - killed_at
        assert states(ann, watched) == ["offline"]
        assert lease_s <= took_s <= lease_s + AFTER_THE_LEASE_S
        (phone,) = ann.of("presence")[-1]["devices"]
        assert (phone["device"], phone["online"]) == ("phone", False)
    await answers(cluster.access[1])


async def test_who_comes_to_another_node_is_not_told_gone_for_long(
    cluster: Cluster, room: str
) -> None:
    async with two_friends(cluster, room) as (ann, bob):
        watched = await watching(ann, room)
        cluster.kill("access-2")
        await bob.ended()
        async with greeted_device(cluster, watched, cluster.access[0]):
            await trio.sleep(AFTER_THE_LEASE_S)
            assert states(ann, watched) == []
    await answers(cluster.access[1])


@pytest.mark.parametrize("kills", [False, True])
async def test_while_redis_has_lost_its_data_nobody_is_offline(
    cluster: Cluster, room: str, kills: bool
) -> None:
    async with two_friends(cluster, room) as (ann, bob):
        watched = await watching(ann, room)
        cluster.server("store").flushall()
        if kills:
            cluster.kill("redis-store")
        await ann.until(lambda: len(states(ann, watched)) >= 2, PATIENCE_S)
        assert states(ann, watched) == ["unknown", "online"]
        await bob.request("ping")


async def test_a_stranger_s_presence_is_not_told(cluster: Cluster, room: str) -> None:
    async with two_friends(cluster, room) as (ann, _):
        bob, eve = f"bob-{room}", "a-stranger"
        assert await ann.request("watch", uids=[eve, bob]) == {"refused": [eve]}
        await ann.until(lambda: states(ann, bob) != [])
        assert states(ann, eve) == []


@asynccontextmanager
async def two_friends(cluster: Cluster, room: str) -> AsyncIterator[tuple[Connection, Connection]]:
    """Ann on the first node and Bob on the second, of this test alone, as friends."""
    ann_uid, bob_uid = f"ann-{room}", f"bob-{room}"
    async with (
        greeted_device(cluster, ann_uid, cluster.access[0]) as ann,
        greeted_device(cluster, bob_uid, cluster.access[1]) as bob,
    ):
        await ann.request("friend_request", uid=bob_uid)
        await bob.request("friend_accept", uid=ann_uid)
        yield ann, bob


@asynccontextmanager
async def greeted_device(cluster: Cluster, uid: str, url: str) -> AsyncIterator[Connection]:
    """A phone of `uid` that takes instant messages."""
    async with connected(url) as connection:
        token = cluster.token(uid)
        ok = await connection.request("hello", token=token, im={"device": "phone"})
        assert "error" not in ok["im"], ok
        yield connection


async def watching(ann: Connection, room: str) -> str:
    """Have Ann watch Bob, until she knows that he is there; returns his uid."""
    bob = f"bob-{room}"
    assert await ann.request("watch", uids=[bob]) == {"refused": []}
    await ann.until(lambda: states(ann, bob)[-1:] == ["online"])
    ann.pushes.clear()
    return bob


def states(client: Connection, uid: str) -> list[str]:
    """Return what was told of `uid`, in order."""
    return [push["state"] for push in client.of("presence") if push["uid"] == uid]


async def answers(url: str) -> None:
    """Wait until a node can be connected to again."""
    with trio.fail_after(PATIENCE_S):
        while True:
            try:
                async with connected(url):
                    return
            except* OSError:
                pass
            await trio.sleep(0.1)
