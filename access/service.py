"""An access node as a process: opens its outer parts, runs it, drains it."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from socket import socket
from typing import Any

import structlog
import trio
from prometheus_client.registry import Collector

from access.edge.channel import plain
from access.edge.metrics import EdgeCollector, RoundTimes
from access.edge.opening.listening import BACKLOG, bind
from access.edge.server import Server
from access.edge.tls.channel import TlsChannels
from access.edge.tls.metrics import TlsCollector
from access.edge.tls.renewal import Renewal
from access.metrics import AccessCollector
from access.node import AccessNode
from access.settings import EdgeSettings, Settings
from access.thinned import encode_skipped
from backends.leases.obeying import ObeyingRegistry
from backends.leases.redis import RedisRegistry
from backends.links.node_links import NodeLinks
from backends.one_use.redis import RedisOneUse
from backends.redis.client import open_redis
from backends.redis.collector import StoreCollector
from backends.revocations.redis import RedisRevocations
from backends.routes.redis import RedisRoutes
from mesh.discovery import discover
from mesh.figures import figures
from mesh.metrics import MeshCollector
from mesh.node import MeshNode
from proto.close_codes import CloseCode
from proto.identity import NodeIdentity
from proto.priorities import Priority

log = structlog.get_logger()

REQUESTS_DRAIN_S = 1.0
"""What clients have asked is finished within it, though they have gone: a message that is half on
its way would have to be sent again elsewhere."""

LIKES_DRAIN_S = 1.0
CURSORS_DRAIN_S = 1.0
ABLE_POLL_S = 0.02
MOVE_SHARE = 0.8
"""The part of the time of a drain in which clients move; the rest closes those that did not."""


class Service:
    """A running access node as ops sees it."""

    def __init__(
        self,
        node: AccessNode,
        server: Server,
        mesh: MeshNode,
        renewal: Renewal | None,
        collectors: Iterable[Collector],
    ) -> None:
        self.node = node
        self._server = server
        self._mesh = mesh
        self._renewal = renewal
        self._collectors = tuple(collectors)

    def ready(self) -> bool:
        """Say whether clients may be sent here: it listens and can serve."""
        return bool(self.node.url) and self.can_serve()

    def can_serve(self) -> bool:
        """Say whether a client could do its work: a relay is up, the lease held, no drain."""
        return bool(self._mesh.up) and self.node.lease.held and not self.node.sessions.draining

    def status(self) -> dict[str, Any]:
        """Return what the node is doing, as JSON-able values."""
        return {
            **self.node.status.now(),
            "url": self.node.url,
            "relays": sorted(self._mesh.up),
            "queued_bytes": self._server.queued_bytes,
            "write_path": self._server.write_path.name,
        }

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors that `/metrics` reads."""
        return self._collectors

    def reconfigured(self, settings: Settings) -> None:
        """Take over the keys that reload, and the certificate; see `ops.roles.Service`."""
        self.node.reconfigured(settings)
        self._server.reconfigured(settings.edge.limits())
        if self._renewal is not None:
            self._renewal.ask()


async def run(
    settings: Settings,
    identity: NodeIdentity,
    /,
    *,
    stopping: trio.Event,
    task_status: trio.TaskStatus[Service] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run an access node until `stopping`, or until it is ordered to drain; then drain it.

    Raises `OSError` if the edge's address can't be bound, `CertificateError` for TLS files that
    can't be used or a mesh certificate of another node, `WritePathUnavailableError` for a write
    path that does not work here. A store or relay that is away is waited for.
    """
    edge = settings.edge
    listener = bind(edge.host, edge.port, edge.limits(), reuse_port=edge.reuse_port)
    async with _opened(settings, identity, listener, stopping) as (service, server):
        task_status.started(service)
        log.info("write_path", write_path=server.write_path.name, reason=server.write_path_reason)
        await stopping.wait()
        await drain(service.node, server, service.node.settings.drain_s)


@asynccontextmanager
async def _opened(
    settings: Settings, identity: NodeIdentity, listener: socket, stopping: trio.Event
) -> AsyncIterator[tuple[Service, Server]]:
    limits, times = settings.edge.limits(), RoundTimes()
    renewal = _renewal(settings.edge)
    links = NodeLinks(settings.mesh.tls, "access", identity.node)
    open_channel = TlsChannels(renewal.context) if renewal else plain
    async with open_redis(settings.store) as redis, trio.open_nursery() as nursery:
        registry = ObeyingRegistry(RedisRegistry(redis), stopping)
        node = AccessNode(
            settings,
            identity,
            nursery,
            edge_of=lambda handler: Server(
                limits, handler, encode_skipped, observe=times, open_channel=open_channel
            ),
            mesh_of=lambda receive: MeshNode(
                identity, "access", settings.mesh, links, receive, settings.regions
            ),
            routes=RedisRoutes(redis),
            registry=registry,
            one_use=RedisOneUse(redis, random.getrandbits),
            revocations=RedisRevocations(redis, now_ms=_now_ms),
            now_ms=_now_ms,
            random=random.random,
            random_bits=random.getrandbits,
        )
        server, mesh = node.edge, node.mesh
        assert isinstance(server, Server)
        assert isinstance(mesh, MeshNode)
        node.status.lane_depths = partial(_lane_depths, mesh)
        node.status.figures = lambda: figures(mesh.up)
        node.status.thinned = lambda: server.counters.thinned
        collectors: list[Collector] = [
            AccessCollector(node),
            EdgeCollector(server, times),
            MeshCollector(mesh),
            StoreCollector(redis),
            *links.collectors(),
        ]
        if renewal is not None:
            collectors.append(TlsCollector(renewal))
            nursery.start_soon(renewal.run)
        nursery.start_soon(links.run)
        nursery.start_soon(mesh.run)
        if settings.mesh.discover:
            nursery.start_soon(discover, registry, identity.region, mesh)
        nursery.start_soon(node.run)
        service = Service(node, server, mesh, renewal, collectors)
        serve = partial(_serve, service, server, listener)
        if settings.edge.reuse_port:
            nursery.start_soon(_serve_when_able, service, serve)
        else:
            await nursery.start(serve)
        yield service, server
        nursery.cancel_scope.cancel()


async def _serve(
    service: Service,
    server: Server,
    listener: socket,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    listener.listen(BACKLOG)
    settings = service.node.settings
    service.node.url = settings.public_url or _url(listener, settings.edge)
    log.info("access_listening", url=service.node.url)
    await server.serve([listener], task_status=task_status)


async def _serve_when_able(service: Service, serve: Callable[[], Awaitable[None]]) -> None:
    # From the moment that one of several processes listens, the kernel sends it its part of the
    # clients, whom the others could serve at once.
    while not service.can_serve():
        await trio.sleep(ABLE_POLL_S)
    await serve()


async def drain(node: AccessNode, server: Server, within_s: float) -> None:
    """Take no more clients, move all to other nodes over `within_s`, finish what they have asked,
    report what is left, resign.

    Who is still here then is closed: to resume elsewhere, or, where there is no other node, when
    this one is back.
    """
    node.sessions.draining = True
    log.info("access_draining", connections=node.sessions.connections, within_s=within_s)
    await node.lease.renew()
    server.refuse()
    if await node.moving.drain(within_s * MOVE_SHARE):
        rest_s = within_s * (1 - MOVE_SHARE)
        await server.drain(rest_s, CloseCode.MOVED, "this node ends; resume elsewhere")
    else:
        await server.drain(within_s)
    with trio.move_on_after(REQUESTS_DRAIN_S):
        await node.replies.finished()
    await node.like_reports.drain(LIKES_DRAIN_S)
    with trio.move_on_after(CURSORS_DRAIN_S):
        await node.messaging.cursors.report()
    await node.lease.resign()


def _renewal(edge: EdgeSettings) -> Renewal | None:
    return Renewal(edge.tls_cert, edge.tls_key) if edge.tls_cert else None


def _url(listener: socket, edge: EdgeSettings) -> str:
    host, port = listener.getsockname()[:2]
    scheme, host = "wss" if edge.tls_cert else "ws", f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port}{edge.path}"


def _lane_depths(mesh: MeshNode) -> dict[str, int]:
    up = mesh.up.values()
    return {p.label: sum(each.lanes[p].outbox.depth for each in up) for p in Priority}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
