"""The client shows another token before the present one ends, and the application notices nothing.

The fake cluster takes the token for the uid.
"""

from collections.abc import Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import trio
from fake_cluster import FakeCluster, Frame

from relaymesh_client import Client, Disconnected, Joined, connect, fixed


def tokens(*some: str) -> Callable[[], str]:
    """A source of `some`, the last one again and again; `""` stands for none at the moment."""
    left = list(some)

    def source() -> str:
        token = left.pop(0) if len(left) > 1 else left[0]
        if not token:
            raise OSError("the back end is away")
        return token

    return source


@asynccontextmanager
async def lobby(cluster: FakeCluster, source: Any) -> Any:
    with trio.fail_after(10):
        async with connect(fixed(*cluster.urls), source, seed=Random(1)) as client:
            events = client.events()
            await client.join("lobby")
            yield client, events


def shown(cluster: FakeCluster) -> list[str]:
    return [each["token"] for each in cluster.requests if each["op"] == "refresh"]


async def until_shown(cluster: FakeCluster, count: int) -> list[str]:
    while len(shown(cluster)) < count:
        await trio.sleep(0.005)
    return shown(cluster)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relaymesh_client.renewing.RETRY_S", 0.01)


async def still_there(client: Client, cluster: FakeCluster) -> None:
    assert (await client.chat("lobby", "still here")).seq == 1
    assert sum(each["op"] == "hello" for each in cluster.requests) == 1


async def test_a_fresh_token_is_shown_on_the_same_connection(cluster: FakeCluster) -> None:
    async with lobby(cluster, tokens("first", "second", "third")) as (client, _):
        await cluster.warn_all()
        assert await until_shown(cluster, 1) == ["second"]
        await cluster.warn_all()
        assert await until_shown(cluster, 2) == ["second", "third"]
        await still_there(client, cluster)


async def test_a_back_end_that_is_away_or_slow_is_asked_again(cluster: FakeCluster) -> None:
    async with lobby(cluster, tokens("first", "", "first", "", "second")) as (client, _):
        await cluster.warn_all()
        assert await until_shown(cluster, 1) == ["second"]
        await still_there(client, cluster)


async def test_a_token_that_is_refused_is_not_the_applications_business(
    cluster: FakeCluster,
) -> None:
    def refuse(frame: Frame) -> Frame | None:
        error = {"code": "token_invalid", "message": "another user's", "field": "token"}
        return error if frame["op"] == "refresh" else None

    cluster.refuse = refuse
    async with lobby(cluster, tokens("first", "second")) as (client, _):
        await cluster.warn_all()
        assert await until_shown(cluster, 1) == ["second"]
        await still_there(client, cluster)


async def test_who_did_not_get_one_in_time_comes_back_with_one(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relaymesh_client.renewing.RETRY_S", 60.0)
    async with lobby(cluster, tokens("first", "", "second")) as (client, events):
        await cluster.warn_all()
        await client.ping()
        await cluster.close_all(4002)
        while not (isinstance(event := await events.get(), Joined) and event.resumed):
            assert not isinstance(event, Disconnected) or event.reconnecting
        hellos = [each["token"] for each in cluster.requests if each["op"] == "hello"]
        assert hellos[-1] == "second"


async def test_a_plain_token_has_no_other(cluster: FakeCluster) -> None:
    async with lobby(cluster, "first") as (client, _):
        await cluster.warn_all()
        await still_there(client, cluster)
        assert shown(cluster) == []
