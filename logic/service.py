"""A logic node as a process: opens its outer parts and runs it, as ops asks."""

import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial

import trio

from backends.answers.redis import RedisAnswers
from backends.bus.collector import BusCollector
from backends.bus.connect import open_bus
from backends.bus.interface import Bus
from backends.database.database import Database, open_database
from backends.leases.obeying import ObeyingRegistry
from backends.leases.redis import RedisDuties, RedisRegistry
from backends.likes.redis import RedisCensus, RedisChangedRooms, RedisLikes
from backends.links.node_links import NodeLinks
from backends.moderation.redis import RedisModeration
from backends.push.connect import open_providers
from backends.push.interface import Provider
from backends.rate_limit.redis import RedisRateLimit
from backends.redis.client import RedisClient, open_redis
from backends.redis.collector import StoreCollector
from backends.revocations.redis import RedisRevocations
from backends.room_log.redis import RedisRoomLog
from backends.routes.redis import RedisRoutes
from logic.node import Logic
from logic.parts import Parts
from logic.settings import Settings
from mesh.discovery import discover
from mesh.figures import figures
from mesh.metrics import MeshCollector
from mesh.node import MeshNode
from proto.envelopes import Envelope
from proto.identity import NodeIdentity


async def run(
    settings: Settings,
    node: NodeIdentity,
    *,
    stopping: trio.Event,
    task_status: trio.TaskStatus[Logic] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a logic node until `stopping`, or until it is ordered to drain; then drain it.

    Raises `ValueError` for an address that can't be one, a key file that is none, a push provider
    that is set up wrongly, and a certificate that can't be used or is another node's. A bus, store
    or relay that is away is waited for.
    """
    links = NodeLinks(settings.mesh.tls, "logic", node.node)
    async with _opened(settings, node, links, stopping) as (logic, mesh):
        task_status.started(logic)
        await logic.run(stopping)
        await mesh.drained()


@asynccontextmanager
async def _opened(
    settings: Settings, node: NodeIdentity, links: NodeLinks, stopping: trio.Event
) -> AsyncIterator[tuple[Logic, MeshNode]]:
    # The mesh hands envelopes to the node and the node answers by the mesh.
    inbound: list[Logic] = []

    def receive(relay: str, envelope: Envelope) -> None:
        inbound[0].receive(relay, envelope)

    mesh = MeshNode(node, "logic", settings.mesh, links, receive, settings.regions)
    async with (
        _providers(settings) as providers,
        open_redis(settings.store) as redis,
        open_redis(settings.store) as urgent,
        open_bus(settings.bus) as bus,
        open_database(settings.database) as database,
        trio.open_nursery() as nursery,
    ):
        collectors = [
            *(MeshCollector(mesh), BusCollector(bus.counters), StoreCollector(redis)),
            *links.collectors(),
        ]
        outer = parts_of(settings, redis, urgent, bus, database, providers, stopping)
        parts = replace(outer, figures=lambda: figures(mesh.up))
        logic = Logic(settings, node, parts, mesh, collectors)
        inbound.append(logic)
        nursery.start_soon(links.run)
        nursery.start_soon(mesh.run)
        if settings.mesh.discover:
            nursery.start_soon(discover, parts.registry, node.region, mesh)
        yield logic, mesh
        nursery.cancel_scope.cancel()


def _providers(settings: Settings) -> AbstractAsyncContextManager[Mapping[str, Provider]]:
    push = settings.push
    return open_providers(push.fcm, push.webhook, push.timeout_s, time.time)


def parts_of(
    settings: Settings,
    redis: RedisClient,
    urgent: RedisClient,
    bus: Bus,
    database: Database,
    providers: Mapping[str, Provider],
    stopping: trio.Event,
) -> Parts:
    """Return the parts, of which most live in Redis, with the real time and randomness.

    An order to drain sets `stopping`.
    """
    random_bits = random.SystemRandom().getrandbits
    return Parts(
        bus=bus,
        room_log=RedisRoomLog(
            redis, settings.room_log, urgent=urgent, now_ms=now_ms, random_bits=random_bits
        ),
        moderation=RedisModeration(redis, now_ms=now_ms),
        registry=ObeyingRegistry(RedisRegistry(redis, settings.store.lease_s), stopping),
        duties=RedisDuties(redis),
        likes=RedisLikes(redis),
        census=RedisCensus(redis, now_ms=now_ms),
        changed=RedisChangedRooms(redis),
        urgent_limit=RedisRateLimit(urgent, "urgent", settings.urgent_rate(), now_ms=now_ms),
        answers=RedisAnswers(redis, settings.room_log.dedup_s),
        database=database,
        routes=RedisRoutes(redis),
        providers=providers,
        revocations=RedisRevocations(urgent, now_ms=now_ms),
        rate_limits=partial(RedisRateLimit, urgent, now_ms=now_ms),
        now_ms=now_ms,
        random_bits=random_bits,
    )


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
