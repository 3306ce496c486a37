"""A gateway over parts in memory, and what tests say to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import httpx
import msgspec
import trio
from starlette.applications import Starlette

from backends.idempotency.memory import MemoryIdempotency
from backends.rate_limit.memory import MemoryRateLimit
from backends.revocations.memory import MemoryRevocations
from proto.errors import CATALOGUE, ErrorCode
from proto.identity import NodeIdentity
from proto.tokens import Claims, mint
from router.gateway.gateway import Gateway as RealGateway
from router.gateway.gateway import Surroundings
from router.gateway.rules import RuleReader
from router.presence import Presence
from router.settings import Settings
from tests.router.parts import FakeMesh, FixedHeat, FixedRegistry, lease

SECRET = "s" * 32
NOW_S = 1_000_000.0
HOMES = {"lobby": "local", "show": "local", "nowhere": "local", "faraway": "us"}
LEASES = (
    lease("access-1", connections=50, rooms=3, links=2, lane_depths={"urgent": 0}),
    lease("access-2", connections=7),
    lease("access-3", connections=1, ready=False),
    lease("relay-1", "relay"),
    lease("relay-2", "relay"),
    lease("router-1", "router", links=2),
    lease("logic-1", "logic", links=1),
)


def token(role: str = "viewer", **claims: Any) -> dict[str, str]:
    fields = {"sub": "ann", "exp": int(NOW_S) + 60, "role": role, **claims}
    return {"Authorization": f"Bearer {mint(msgspec.convert(fields, Claims), SECRET)}"}


class Gateway:
    def __init__(
        self,
        client: httpx.AsyncClient,
        mesh: FakeMesh,
        gateway: RealGateway,
        registry: FixedRegistry,
        heat: FixedHeat,
        settings: Settings,
        idempotency: MemoryIdempotency,
    ) -> None:
        self.client = client
        self.mesh = mesh
        self.counters = gateway.counters
        self.gateway = gateway
        self.registry = registry
        self.heat = heat
        self.rules = gateway.rules
        self.revoked = gateway.revoked
        self.settings = settings
        self.idempotency = idempotency

    async def push(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        headers = kwargs.pop("headers", token("server"))
        return await self.client.post(path, json=body, headers=headers, **kwargs)


@asynccontextmanager
async def gateway(
    *leases: Any, heat: FixedHeat | None = None, provisioner: str = "webhook", **settings: Any
) -> AsyncIterator[Gateway]:
    dedicated = {"kind": provisioner, "url": "http://pools", "secret": SECRET}
    whole = msgspec.convert(
        {
            "gateway": settings,
            "tokens": {"secret": SECRET},
            "provisioner": dedicated if provisioner != "none" else {},
            "regions": {"names": ["local", "us"], "im": "local", "rooms": HOMES},
        },
        Settings,
    )
    registry = FixedRegistry(*leases)
    presence = Presence(registry)
    await presence.refresh()
    mesh, heat = FakeMesh(), heat or FixedHeat()
    idempotency = MemoryIdempotency(trio.current_time)
    around = Surroundings(
        mesh=mesh,
        registry=registry,
        heat=heat,  # type: ignore[arg-type]
        revocations=MemoryRevocations(lambda: 0),
        idempotency=idempotency,
        limit_of=lambda rate: MemoryRateLimit(rate, lambda: round(trio.current_time() * 1000)),
        now_s=lambda: NOW_S,
        random_bits=Random(1).getrandbits,
    )
    node = NodeIdentity(node="router-1", region="local", incarnation="i1")
    made = RealGateway(whole, node, presence, around)
    await RuleReader(heat, "router-1", made.rules).refresh()  # type: ignore[arg-type]
    transport = httpx.ASGITransport(Starlette(routes=made.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Gateway(client, mesh, made, registry, heat, whole, idempotency)


def problem(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert error["type"] == f"urn:relaymesh:problem:{error['code']}"
    assert error["title"] == CATALOGUE[ErrorCode(error["code"])].meaning
    assert error["instance"] == f"urn:relaymesh:trace:{response.headers['x-trace-id']}"
    assert error["status"] == response.status_code
    assert error["detail"]
    return response.status_code, error["code"], error.get("field", "")
