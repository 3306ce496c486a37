"""A relay as ops runs it: over real sockets, known by its lease, counted, and gone when asked."""

import contextlib
import json
import socket
from functools import partial

import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest

from backends.leases.redis import RedisRegistry
from backends.links.nng import NngLinks
from backends.redis.client import open_redis
from backends.redis.settings import StoreSettings
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.identity import NodeIdentity
from relay.service import RelayService, run
from relay.settings import Settings

ME = NodeIdentity(node="relay-1", region="local", incarnation="r1", http_url="http://here")


@pytest.fixture
def address() -> str:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return ",".join(f"tcp://127.0.0.1:{each.getsockname()[1]}" for each in sockets)


async def test_it_serves_nodes_tells_the_store_and_resigns(
    nursery: trio.Nursery, address: str, shared_redis: object
) -> None:
    url = str(getattr(shared_redis, "url"))  # noqa: B009
    stopping, ended = trio.Event(), trio.Event()

    async def life(task_status: trio.TaskStatus[RelayService]) -> None:
        settings = Settings(listen=address, store_url=url, lease_s=0.1)
        await run(settings, ME, stopping=stopping, task_status=task_status)
        ended.set()

    service = await nursery.start(life)
    assert service.ready()
    identity = NodeIdentity(node="access-1", region="local", incarnation="a1")
    mesh = MeshNode(identity, "access", MeshSettings(relays=[address]), NngLinks(), lambda *_: None)
    nursery.start_soon(mesh.run)
    mesh.want("lobby")
    await mesh.confirmed("lobby")
    assert json.loads(json.dumps(service.status()))["nodes"] == ["access-1"]
    text = _scraped(service)
    assert "relaymesh_relay_nodes 1.0" in text
    assert "relaymesh_relay_rooms 1.0" in text

    async with open_redis(StoreSettings(url=url)) as redis:
        registry = RedisRegistry(redis)
        with trio.fail_after(5):
            while not await registry.living():
                await trio.sleep(0.01)
            lease = (await registry.living())[0]
            assert (lease.node, lease.role, lease.url) == ("relay-1", "relay", "http://here")
            await registry.order_drain("relay-1")
            await ended.wait()
            assert stopping.is_set()
            assert await registry.living() == []
    nursery.cancel_scope.cancel()


def _scraped(service: RelayService) -> str:
    registry = CollectorRegistry()
    for collector in service.collectors():
        registry.register(collector)
    return generate_latest(registry).decode()


async def test_an_address_in_use_is_one_clear_line(nursery: trio.Nursery, address: str) -> None:
    settings = Settings(listen=address)
    start = partial(run, settings, ME, stopping=trio.Event())
    await nursery.start(start)
    with pytest.raises(OSError, match=f"can't listen at {address.split(',')[0]}: .*in use"):
        await run(settings, ME, stopping=trio.Event())
    nursery.cancel_scope.cancel()
