"""The node as ops runs it: real sockets, a real store, relays that are not there."""

import json
import ssl
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from prometheus_client import CollectorRegistry, generate_latest
from trio_websocket import ConnectionClosed, open_websocket_url

from access.service import Service, run
from access.settings import EdgeSettings, Settings
from backends.redis.settings import StoreSettings
from mesh.settings import MeshSettings
from proto.client_requests import SUBPROTOCOL
from proto.identity import NodeIdentity
from proto.token_settings import TokenSettings
from proto.tokens import Claims, mint
from tests.access.cluster import SECRET
from tests.conftest import RedisServer


def scraped(service: Service) -> str:
    registry = CollectorRegistry()
    for collector in service.collectors():
        registry.register(collector)
    return generate_latest(registry).decode()


@pytest.fixture(params=["ws", "wss"])
def edge(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[EdgeSettings, ssl.SSLContext | None]:
    """The settings of an edge without and with TLS, and what a client needs to trust it."""
    if request.param == "ws":
        return EdgeSettings(port=0), None
    authority, trust = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trust)
    pem = tmp_path / "both.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    return EdgeSettings(port=0, tls_cert=str(pem), tls_key=str(pem)), trust


async def test_a_node_serves_says_that_it_is_not_ready_and_drains(
    shared_redis: RedisServer,
    free_port: int,
    nursery: trio.Nursery,
    edge: tuple[EdgeSettings, ssl.SSLContext | None],
) -> None:
    edge_settings, trust = edge
    settings = Settings(
        tokens=TokenSettings(secret=SECRET),
        drain_s=0.5,
        edge=edge_settings,
        mesh=MeshSettings(relays=[f"tcp://127.0.0.1:{free_port}"], confirm_timeout_s=0.05),
        store=StoreSettings(url=shared_redis.url),
    )
    identity = NodeIdentity(node="access-1", region="local", incarnation="i1")
    stopping, ended = trio.Event(), trio.Event()

    async def until_drained(*, task_status: trio.TaskStatus[Service]) -> None:
        await run(settings, identity, stopping=stopping, task_status=task_status)
        ended.set()

    with trio.fail_after(20):
        service: Service = await nursery.start(partial(until_drained))
        assert not service.ready()
        async with open_websocket_url(
            service.node.url, trust, subprotocols=[SUBPROTOCOL]
        ) as client:
            token = mint(Claims(sub="ann", exp=2**40), SECRET)
            hello = {"op": "hello", "id": 1, "token": token, "join": [{"room": "lobby"}]}
            await client.send_message(json.dumps(hello))
            (reply,) = json.loads(await client.get_message())
            assert reply["ok"]["rooms"]["lobby"]["error"]["code"] == "unavailable"
            assert service.status()["connections"] == 1
            metrics = scraped(service)
            for name in ("access_connections", "edge_opened_total", "mesh_relays_up"):
                assert f"\nrelaymesh_{name} " in metrics
            assert service.node.url.startswith("wss:" if trust else "ws:")
            assert ("\nrelaymesh_edge_tls_certificate_expiry_seconds " in metrics) == bool(trust)
            stopping.set()
            try:
                await client.get_message()
            except ConnectionClosed as closed:
                assert closed.reason is not None
                assert closed.reason.code == 1012
            else:
                raise AssertionError("the connection must be closed")
        await ended.wait()
    with shared_redis.client() as redis:
        assert redis.keys("rm:{nodes}:lease:*") == []
        assert redis.keys("rm:u:*") == []


async def test_a_node_that_shares_its_port_listens_only_when_it_can_serve(
    shared_redis: RedisServer, free_port: int, nursery: trio.Nursery
) -> None:
    settings = Settings(
        tokens=TokenSettings(secret=SECRET),
        edge=EdgeSettings(port=free_port, reuse_port=True),
        mesh=MeshSettings(relays=["tcp://127.0.0.1:9"]),
        store=StoreSettings(url=shared_redis.url),
    )
    identity = NodeIdentity(node="access-1-w1", region="local", incarnation="i1")
    start = partial(run, settings, identity, stopping=trio.Event())
    with trio.fail_after(20):
        service: Service = await nursery.start(start)
        while not service.node.lease.held:
            await trio.sleep(0.01)
        assert service.node.lease_now().url == ""
        assert not service.ready()
        with pytest.raises(OSError, match=r"refused|failed"):
            await trio.open_tcp_stream("127.0.0.1", free_port)
        nursery.cancel_scope.cancel()
