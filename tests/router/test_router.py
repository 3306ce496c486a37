from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest

from backends.bus.memory import MemoryBroker, MemoryBus
from backends.bus.settings import BusSettings
from backends.errors import StoreUnavailableError
from backends.heat.memory import MemoryHeat
from backends.idempotency.memory import MemoryIdempotency
from backends.leases.interface import NodeLease, Orders
from backends.leases.memory import MemoryDuties
from backends.likes.memory import MemoryCensus
from backends.rate_limit.memory import MemoryRateLimit
from backends.revocations.memory import MemoryRevocations
from backends.room_log.memory import MemoryRoomLog
from backends.room_log.retention import Retention
from backends.routes.memory import MemoryRoutes
from proto.headers import HeadsHeader
from proto.identity import NodeIdentity
from proto.token_settings import TokenSettings
from proto.topics import Topic
from router.gateway.settings import GatewaySettings
from router.router import Parts, Router
from router.settings import Settings
from tests.router.parts import FakeMesh, FixedRegistry, lease, room_record

NODE = NodeIdentity(node="router-1", region="local", incarnation="i9", http_url="http://r1")
SETTINGS = Settings(tokens=TokenSettings(secret="s" * 32))


class EmptyLog:
    async def active_heads(self) -> dict[str, HeadsHeader]:
        raise StoreUnavailableError("away")


class FlakyRegistry(FixedRegistry):
    async def renew(self, lease: NodeLease) -> Orders:
        orders = await super().renew(lease)
        if len(self.renewed) == 2:
            raise StoreUnavailableError("away for a moment")
        return orders


def _parts(nursery: trio.Nursery, registry: FixedRegistry, **rest: Any) -> Parts:
    bus = MemoryBus(BusSettings(kind="memory"), MemoryBroker(), nursery)
    heat = MemoryHeat(MemoryRoomLog(Retention(), now_ms=lambda: 0, random_bits=lambda bits: 1))
    census, duties = MemoryCensus(lambda: 0), MemoryDuties(trio.current_time)
    return Parts(
        FakeMesh(),
        bus,
        MemoryRoutes(),
        registry,  # type: ignore[arg-type]
        EmptyLog(),  # type: ignore[arg-type]
        heat,
        census,
        duties,
        MemoryRevocations(lambda: 0),
        MemoryIdempotency(trio.current_time),
        lambda rate: MemoryRateLimit(rate, lambda: 0),
        **rest,
    )


def _samples(router: Router) -> Iterator[str]:
    registry = CollectorRegistry()
    for collector in router.collectors():
        registry.register(collector)
    return iter(generate_latest(registry).decode().splitlines())


async def test_a_router_keeps_its_lease_routes_and_resigns(autojump_clock: object) -> None:
    async with trio.open_nursery() as outer:
        registry = FlakyRegistry(lease("access-1"))
        parts = _parts(outer, registry, lane_depths=lambda: {"urgent": 4})
        router = Router(SETTINGS, NODE, parts)
        stopping = trio.Event()
        assert not router.ready()
        async with trio.open_nursery() as running:
            running.start_soon(router.run, stopping)
            await trio.sleep(4.5)
            assert router.ready()
            await parts.bus.publish(Topic.URGENT, [room_record("lobby", 1, "urgent")])
            await trio.sleep(0.1)
            stopping.set()
        assert not router.ready()
        assert len(registry.renewed) == 5
        last = registry.renewed[-1]
        assert (last.node, last.role, last.incarnation) == ("router-1", "router", "i9")
        assert last.url == "http://r1"
        assert last.status["ready"] is True
        assert (last.status["links"], last.status["lane_depths"]) == (2, {"urgent": 4})
        assert registry.resigned == [("router-1", "i9")]
        assert router.status()["routed"] == {
            "room": 1,
            "precise": 0,
            "broadcast": 0,
            "everybody": 0,
        }
        lines = set(_samples(router))
        assert 'relaymesh_router_consumed_total{topic="urgent"} 1.0' in lines
        assert 'relaymesh_router_routed_total{mode="room"} 1.0' in lines
        assert 'relaymesh_router_latency_seconds_count{priority="urgent"} 1.0' in lines
        assert "relaymesh_gateway_pending 0.0" in lines
        outer.cancel_scope.cancel()


async def test_a_router_without_a_relay_is_not_ready(autojump_clock: object) -> None:
    async with trio.open_nursery() as outer:
        parts = _parts(outer, FixedRegistry())
        parts.mesh.up.clear()  # type: ignore[attr-defined]
        router = Router(SETTINGS, NODE, parts)
        outer.start_soon(router.run, trio.Event())
        await trio.sleep(1)
        assert not router.ready()
        outer.cancel_scope.cancel()


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_that_is_none_is_refused_by_name(secret: str) -> None:
    with pytest.raises(ValueError, match=r"tokens\.secret"):
        Settings(tokens=TokenSettings(secret=secret))


async def test_a_config_with_a_key_file_that_is_gone_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text("")
    settings = msgspec.structs.replace(SETTINGS, gateway=GatewaySettings(api_keys_file=str(keys)))
    async with trio.open_nursery() as outer:
        parts = _parts(outer, FixedRegistry())
        changed: list[object] = []
        monkeypatch.setattr(parts.mesh, "reconfigured", changed.append, raising=False)
        router = Router(settings, NODE, parts)
        keys.unlink()
        with pytest.raises(ValueError, match="api_keys_file"):
            router.reconfigured(settings)
        assert changed == []
        outer.cancel_scope.cancel()
