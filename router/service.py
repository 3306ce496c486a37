"""A router as a process: opens its outer parts and runs it, as ops asks."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import trio

from backends.bus.collector import BusCollector
from backends.bus.connect import open_bus
from backends.heat.redis import RedisHeat
from backends.idempotency.redis import RedisIdempotency
from backends.leases.obeying import ObeyingRegistry
from backends.leases.redis import RedisDuties, RedisRegistry
from backends.likes.redis import RedisCensus
from backends.links.node_links import NodeLinks
from backends.provisioner.connect import open_provisioner
from backends.provisioner.interface import Provisioner
from backends.rate_limit.redis import RedisRateLimit
from backends.redis.client import RedisClient, open_redis
from backends.redis.collector import StoreCollector
from backends.revocations.redis import RedisRevocations
from backends.room_log.redis import RedisRoomLog
from backends.routes.redis import RedisRoutes
from mesh.discovery import discover
from mesh.figures import figures
from mesh.metrics import MeshCollector
from mesh.node import MeshNode
from proto.envelopes import Envelope
from proto.identity import NodeIdentity
from proto.priorities import Priority
from router.heat.pools import pools_in_use
from router.router import Parts, Router
from router.settings import Settings


async def run(
    settings: Settings,
    node: NodeIdentity,
    *,
    stopping: trio.Event,
    task_status: trio.TaskStatus[Router] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a router until `stopping`, or until it is ordered to drain; then finish what it took
    from the bus.

    Raises `OSError` where the demo's pages are missing, `CertificateError` for a certificate that
    can't be used or is another node's. A bus, store or relay that is away is waited for.
    """
    async with _opened(settings, node, stopping) as (parts, mesh):
        router = Router(settings, node, parts)
        task_status.started(router)
        await router.run(stopping)
        await mesh.drained()


@asynccontextmanager
async def _opened(
    settings: Settings, node: NodeIdentity, stopping: trio.Event
) -> AsyncIterator[tuple[Parts, MeshNode]]:
    links = NodeLinks(settings.mesh.tls, "router", node.node)
    mesh = MeshNode(node, "router", settings.mesh, links, _nothing, settings.regions)
    bits = random.SystemRandom().getrandbits
    async with (
        open_redis(settings.store) as redis,
        open_bus(settings.bus) as bus,
        _provisioner(settings, redis) as provisioner,
        trio.open_nursery() as nursery,
    ):
        registry = ObeyingRegistry(RedisRegistry(redis), stopping)
        nursery.start_soon(links.run)
        nursery.start_soon(mesh.run)
        if settings.mesh.discover:
            nursery.start_soon(discover, registry, node.region, mesh)
        parts = Parts(
            mesh=mesh,
            bus=bus,
            routes=RedisRoutes(redis),
            registry=registry,
            room_log=RedisRoomLog(redis, settings.room_log, now_ms=_now_ms, random_bits=bits),
            heat=RedisHeat(redis, random_bits=bits),
            census=RedisCensus(redis, now_ms=_now_ms),
            duties=RedisDuties(redis),
            revocations=RedisRevocations(redis, now_ms=_now_ms),
            idempotency=RedisIdempotency(redis),
            limit_of=lambda rate: RedisRateLimit(redis, "calls", rate, now_ms=_now_ms),
            provisioner=provisioner,
            collectors=(
                *(MeshCollector(mesh), BusCollector(bus.counters), StoreCollector(redis)),
                *links.collectors(),
            ),
            lane_depths=partial(lane_depths, mesh),
            figures=lambda: figures(mesh.up),
        )
        yield parts, mesh
        nursery.cancel_scope.cancel()


def _provisioner(
    settings: Settings, redis: RedisClient
) -> AbstractAsyncContextManager[Provisioner | None]:
    heat = RedisHeat(redis, random_bits=random.SystemRandom().getrandbits)
    in_use, duties = partial(pools_in_use, heat), RedisDuties(redis)
    return open_provisioner(settings.provisioner, in_use, duties, time.time)


def lane_depths(mesh: MeshNode) -> dict[str, int]:
    """Return what waits on each lane, over all relays."""
    connections = mesh.up.values()
    return {
        priority.label: sum(each.lanes[priority].outbox.depth for each in connections)
        for priority in Priority
    }


def _nothing(relay: str, envelope: Envelope) -> None:
    """Routers want no room and own no connection: nothing is meant for them."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
