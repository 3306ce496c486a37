"""A whole cluster in one trio run: real roles, all else in memory, everything from one seed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio
from structlog.testing import LogCapture
from trio.testing import MockClock

from backends.room_log.retention import Retention
from proto.identity import NodeIdentity
from proto.ids import new_id
from tests.simulation.processes import RUN, Outside, Process
from tests.simulation.seeding import captured, seeded

SETTLED_S = 4.0
"""A cluster that has just started knows after a lease's time who lives."""

Main = Callable[["Cluster"], Awaitable[None]]
log = structlog.get_logger()


@dataclass(frozen=True)
class Shape:
    """How many of each role there are, and how much rooms keep."""

    relays: int = 2
    access: int = 3
    routers: int = 2
    logic: int = 2
    retention: Retention = field(default_factory=Retention)

    def names(self) -> list[str]:
        counts = {"relay": self.relays, "logic": self.logic, "router": self.routers}
        return [f"{role}-{n + 1}" for role, k in (counts | {"access": self.access}).items()
                for n in range(k)]  # fmt: skip


class Cluster(Outside):
    """The processes by name, and the parts outside of them."""

    def __init__(self, seed: int, shape: Shape, nursery: trio.Nursery, capture: LogCapture) -> None:
        relays = [name for name in shape.names() if name.startswith("relay")]
        super().__init__(seed, relays, shape.retention, nursery)
        self.shape = shape
        self.nursery = nursery
        self.log = capture
        self.running: dict[str, Process] = {}

    def start(self, name: str, pool: str = "") -> Process:
        """Start a node that does not run, as a new incarnation; `pool`: a dedicated access node."""
        assert name not in self.running, f"{name} runs"
        identity = NodeIdentity(
            node=name,
            region="local",
            incarnation=new_id(self.rng.getrandbits),
            http_url=f"http://{name}",
        )
        process = self.running[name] = Process(name, identity, pool)
        log.info("started", node=name)
        self.nursery.start_soon(self._live, process)
        return process

    def kill(self, name: str) -> None:
        """End a node as SIGKILL does: its connections break, nothing is said."""
        process = self.running.pop(name)
        log.info("killed", node=name)
        if process.edge is not None:
            process.edge.break_off()
        self.network.cut(name)
        process.scope.cancel()

    def of_role(self, role: str) -> list[Process]:
        """Return the running nodes of a role."""
        return [self.running[name] for name in sorted(self.running) if name.startswith(role)]

    async def _live(self, process: Process) -> None:
        with process.scope:
            await RUN[process.role](self, process)
            raise AssertionError(f"{process.name} ended by itself")


def simulate(seed: int, main: Main, shape: Shape = Shape()) -> list[dict[str, Any]]:
    """Run `main` over a started cluster in virtual time; returns all that was logged."""
    with seeded(seed), captured() as log:
        trio.run(_run, seed, main, shape, log, clock=MockClock(autojump_threshold=0))
        return [dict(entry) for entry in log.entries]


async def _run(seed: int, main: Main, shape: Shape, log: LogCapture) -> None:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(seed, shape, nursery, log)
        for name in shape.names():
            cluster.start(name)
        await trio.sleep(SETTLED_S)
        await main(cluster)
        nursery.cancel_scope.cancel()
