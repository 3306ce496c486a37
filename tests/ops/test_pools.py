"""The webhook of a local cluster, asked by the very client that routers have."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.http.client import HttpClient
from backends.http.signature import SIGNATURE, TIMESTAMP, sign
from backends.provisioner.interface import ProvisionerError
from backends.provisioner.names import pool_of
from backends.provisioner.settings import ProvisionerSettings
from backends.provisioner.webhook import WebhookPools, signed_content
from ops.cluster.plan import Node
from ops.cluster.pools import PoolServer
from ops.cluster.slots import DrainingError, Slots, TooManyError

SECRET = "s" * 32
NOW_S = 1_790_000_000.0
NODES = tuple(Node(f"access-hot-{n}", "access", {}) for n in range(1, 5))


class Cluster:
    """Nodes that run as soon as they are started, and drain until the test says that they have."""

    def __init__(self) -> None:
        self.slots = Slots(NODES)
        self.running: dict[str, str] = {}
        self.draining: set[str] = set()

    def provide(self, pool: str, nodes: int) -> None:
        for node in self.slots.take(pool, nodes, self.running):
            assert node.id not in self.running
            self.running[node.id] = pool

    def release(self, pool: str) -> None:
        self.draining |= set(self.slots.release(pool, self.running))

    def ended(self) -> None:
        for name in self.draining:
            del self.running[name]
        self.draining = set()

    def nodes_of(self, pool: str) -> set[str]:
        return {name for name, its in self.running.items() if its == pool} - self.draining


@asynccontextmanager
async def client(cluster: Cluster) -> AsyncIterator[httpx.AsyncClient]:
    app = PoolServer(SECRET, lambda: NOW_S, cluster.provide, cluster.release).application()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pools") as found:
        yield found


@asynccontextmanager
async def asked(cluster: Cluster, secret: str = SECRET) -> AsyncIterator[WebhookPools]:
    settings = ProvisionerSettings(
        kind="webhook", url="http://pools", secret=secret, give_up_s=0.05
    )
    async with client(cluster) as http:
        yield WebhookPools(settings, HttpClient(http, 5.0), lambda: NOW_S)


async def test_a_pool_is_started_completed_and_drained() -> None:
    cluster = Cluster()
    async with asked(cluster) as pools:
        pool = await pools.provide("show", "", 2)
        assert pool == pool_of("show")
        await pools.provide("show", pool, 2)
        assert cluster.nodes_of(pool) == {"access-hot-1", "access-hot-2"}
        del cluster.running["access-hot-1"]
        await pools.provide("show", pool, 3)
        assert cluster.nodes_of(pool) == {"access-hot-1", "access-hot-2", "access-hot-3"}
        await pools.release("a", pool)
        await pools.release("a", pool)
        assert cluster.nodes_of(pool) == set()


async def test_more_than_there_are_is_refused_and_nothing_started() -> None:
    cluster = Cluster()
    async with asked(cluster) as pools:
        await pools.provide("a", "", 3)
        with pytest.raises(ProvisionerError, match=r"answered 409: .*: 1 of 4 are free"):
            await pools.provide("b", "", 2)
        assert len(cluster.running) == 3
        await pools.provide("b", "", 1)


async def test_nodes_that_drain_are_waited_for() -> None:
    cluster = Cluster()
    async with asked(cluster) as pools:
        await pools.release("a", await pools.provide("a", "", 4))
        with pytest.raises(ProvisionerError, match=r"answered 503: .* some still drain"):
            await pools.provide("b", "", 1)
        cluster.ended()
        pool = await pools.provide("b", "", 4)
        assert len(cluster.nodes_of(pool)) == 4


async def test_another_clusters_secret_is_refused() -> None:
    cluster = Cluster()
    async with asked(cluster, "t" * 32) as pools:
        with pytest.raises(ProvisionerError, match=r"answered 403: .* not signed by"):
            await pools.provide("show", "", 1)
    assert cluster.running == {}


def signed(method: str, pool: str, body: bytes, at_s: float = NOW_S) -> dict[str, str]:
    timestamp = str(int(at_s))
    content = signed_content(method, pool, body)
    return {TIMESTAMP: timestamp, SIGNATURE: sign(SECRET, timestamp, content)}


WANTED = b'{"room": "show", "nodes": 1}'
REFUSED: dict[str, tuple[str, bytes, dict[str, str], tuple[int, str, str]]] = {
    "no signature": ("hot-a", WANTED, {}, (403, "forbidden", SIGNATURE)),
    "an old request": (
        "hot-a",
        WANTED,
        signed("PUT", "hot-a", WANTED, NOW_S - 301),
        (403, "forbidden", SIGNATURE),
    ),
    "signed for another pool": (
        "hot-a",
        WANTED,
        signed("PUT", "hot-b", WANTED),
        (403, "forbidden", SIGNATURE),
    ),
    "signed to release": (
        "hot-a",
        WANTED,
        signed("DELETE", "hot-a", WANTED),
        (403, "forbidden", SIGNATURE),
    ),
    "a pool that is none": (
        "Hot_A",
        WANTED,
        signed("PUT", "Hot_A", WANTED),
        (400, "bad_frame", "pool"),
    ),
    "no JSON": ("hot-a", b"{", signed("PUT", "hot-a", b"{"), (400, "bad_frame", "")),
    "no nodes": (
        "hot-a",
        b'{"room": "show", "nodes": 0}',
        signed("PUT", "hot-a", b'{"room": "show", "nodes": 0}'),
        (400, "bad_frame", ""),
    ),
    "a room that is none": (
        "hot-a",
        b'{"room": "a b", "nodes": 1}',
        signed("PUT", "hot-a", b'{"room": "a b", "nodes": 1}'),
        (400, "bad_frame", "room"),
    ),
    "too many nodes": (
        "hot-a",
        b'{"room": "show", "nodes": 5}',
        signed("PUT", "hot-a", b'{"room": "show", "nodes": 5}'),
        (409, "full", "nodes"),
    ),
    "too long": ("hot-a", b" " * 5000, signed("PUT", "hot-a", b" " * 5000), (413, "too_large", "")),
}


@pytest.mark.parametrize("name", list(REFUSED))
async def test_what_makes_no_sense_is_refused_by_name(name: str) -> None:
    pool, body, headers, expected = REFUSED[name]
    cluster = Cluster()
    async with client(cluster) as http:
        response = await http.put(f"/pools/{pool}", content=body, headers=headers)
    error: dict[str, Any] = json.loads(response.content)["error"]
    assert (response.status_code, error["code"], error.get("field", "")) == expected
    assert error["message"]
    assert cluster.running == {}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("provide"), st.sampled_from("abc"), st.integers(1, 5)),
        st.tuples(st.just("release"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("ended"), st.just(""), st.just(0)),
        st.tuples(st.just("given up"), st.just(""), st.integers(0, 3)),
    ),
    max_size=30,
)


@given(STEPS)
def test_no_node_is_in_two_pools_and_a_pool_that_was_given_has_its_nodes(steps: Any) -> None:
    cluster = Cluster()
    for step, pool, number in steps:
        if step == "provide":
            before = dict(cluster.running)
            try:
                cluster.provide(pool, number)
            except (TooManyError, DrainingError):
                assert cluster.running == before
            else:
                assert len(cluster.nodes_of(pool)) >= number
        elif step == "release":
            cluster.release(pool)
            assert cluster.nodes_of(pool) == set()
        elif step == "ended":
            cluster.ended()
        elif NODES[number].id not in cluster.draining:
            cluster.running.pop(NODES[number].id, None)
