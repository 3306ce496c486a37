"""Starts and drains the dedicated nodes of a local cluster, as its routers ask."""

import time
from collections.abc import Callable

import trio

from ops.cluster.plan import Node, Plan
from ops.cluster.pools import PoolServer
from ops.cluster.slots import Slots
from ops.health import listen
from ops.http_serving import serve_http
from ops.processes.child import Program, Report
from ops.processes.supervisor import Supervisor

ProgramOf = Callable[[Node, str], Program]


class Dedicated:
    """The dedicated nodes, over the cluster's supervisor, which starts again those that die.

    `program_of` returns the program of a node in a pool.
    """

    def __init__(
        self,
        plan: Plan,
        program_of: ProgramOf,
        supervisor: Supervisor,
        nursery: trio.Nursery,
        report: Report,
    ) -> None:
        self._plan = plan
        self._slots = Slots(plan.dedicated)
        self._program_of = program_of
        self._supervisor = supervisor
        self._nursery = nursery
        self._report = report

    def provide(self, pool: str, nodes: int) -> None:
        """See `PoolServer`."""
        for node in self._slots.take(pool, nodes, self._supervisor.children):
            self._report(f"{node.id}  is started for {pool}")
            self._supervisor.add(self._program_of(node, pool))

    def release(self, pool: str) -> None:
        """See `PoolServer`; the nodes drain by themselves."""
        for name in self._slots.release(pool, self._supervisor.children):
            self._report(f"{name}  is drained: {pool} is no longer needed")
            self._nursery.start_soon(self._supervisor.retire, name)

    async def serve(
        self,
        secret: str,
        stopping: trio.Event,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Answer routers until `stopping`; raises `Failure` where the port can't be listened at."""
        app = PoolServer(secret, time.time, self.provide, self.release).application()
        server = listen(self._plan.pools)
        task_status.started()
        await serve_http(app, server, stopping=stopping)
