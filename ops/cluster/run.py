"""The life of a local cluster: redis, then the nodes, then waiting, then the drain."""

import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import trio

from backends.redis.server import Redis, wait_until_serving
from ops import guard
from ops.certs.folder import Folder
from ops.cluster.certificates import keep_certificates
from ops.cluster.options import UpOptions
from ops.cluster.plan import Node, Plan
from ops.cluster.settling import settled
from ops.cluster.state_dir import StateDir
from ops.processes.child import Program, Report
from ops.processes.log_file import logs_in
from ops.processes.supervisor import Supervisor


class Cluster(NamedTuple):
    """Everything that is decided before the first process starts."""

    plan: Plan
    state: StateDir
    redis: tuple[Redis, ...]
    configs: dict[str, Path]
    """The config file of each node, by its id."""
    options: UpOptions


async def run_cluster(
    cluster: Cluster,
    *,
    serving: Callable[[], None],
    announce: Callable[[Supervisor], None],
    report: Report,
) -> None:
    """Run `cluster` until SIGINT, SIGTERM or SIGHUP, then drain; a second signal kills at once.

    `serving` is called once when every node is ready, `announce` when the gateway knows them all,
    `report` with lines for the user's eyes.
    Raises, in an exception group, `Failure` if a part does not start.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            stopping = trio.Event()
            supervisor = Supervisor(
                nursery,
                logs_in(cluster.state.folder("logs")),
                lambda now: cluster.state.record(record(cluster, now)),
                report,
            )
            with trio.CancelScope() as starting:
                nursery.start_soon(_watch_signals, signals, stopping, starting, nursery)
                folder = Folder(cluster.state.folder("certs"))
                nursery.start_soon(keep_certificates, folder, report)
                await _serve_pools(cluster, supervisor, nursery, stopping, report)
                await supervisor.start(redis_program(each) for each in cluster.redis)
                await supervisor.start(node_program(each, cluster) for each in cluster.plan.nodes)
                serving()
                if not await settled(cluster.plan):
                    report("the gateway does not know every node yet: see `relaymesh status`")
                announce(supervisor)
            await stopping.wait()
            report("stopping")
            await supervisor.stop()
            nursery.cancel_scope.cancel()


async def _serve_pools(
    cluster: Cluster,
    supervisor: Supervisor,
    nursery: trio.Nursery,
    stopping: trio.Event,
    report: Report,
) -> None:
    """Have dedicated nodes started when routers ask for them, where the plan has any."""
    if not cluster.plan.dedicated:
        return
    # What serves HTTP is imported when there is something to serve, not for each command.
    from ops.cluster.dedicated import Dedicated

    def program_of(node: Node, pool: str) -> Program:
        return node_program(node, cluster, f"access.pool={pool}")

    dedicated = Dedicated(cluster.plan, program_of, supervisor, nursery, report)
    await nursery.start(dedicated.serve, cluster.state.secrets()["pools_secret"], stopping)


def record(cluster: Cluster, supervisor: Supervisor) -> dict[str, object]:
    """Return what `cluster.json` says about the cluster now."""
    plan = cluster.plan
    nodes = (*plan.nodes, *plan.dedicated)
    http = {node.id: f"http://{node.address('http')}" for node in nodes}
    children = supervisor.children.items()
    return {
        "port_base": plan.port_base,
        "gateway": plan.gateway,
        "links": plan.links,
        "nodes": {
            name: {
                "role": child.program.role,
                "pid": child.pid,
                "http": http.get(name),
                "restarts": child.restarts,
                "ready": child.pid is not None and child.ready.is_set(),
            }
            for name, child in children
        },
    }


async def _watch_signals(
    signals: AsyncIterator[int],
    stopping: trio.Event,
    starting: trio.CancelScope,
    nursery: trio.Nursery,
) -> None:
    async for _ in signals:
        if stopping.is_set():
            # Children are killed on the way out of their tasks.
            nursery.cancel_scope.cancel()
        stopping.set()
        starting.cancel()


def redis_program(redis: Redis) -> Program:
    """Return the program of an embedded server: it knows nothing of supervision, so the guard
    stands in front of it.
    """

    def argv(fd: int) -> list[str]:
        return [sys.executable, "-I", "-S", guard.__file__, str(fd), *redis.command]

    async def serving() -> None:
        await wait_until_serving(redis)

    return Program(redis.name, "redis", argv, serving)


def node_program(node: Node, cluster: Cluster, *more_flags: str) -> Program:
    """Return the program of `node`, with the user's `--set` flags and more."""
    given = (*cluster.options.flags_for(node.role), *more_flags)
    flags = [f"--set={flag}" for flag in given]
    config = cluster.configs[node.id]

    def argv(fd: int) -> list[str]:
        # -P: a folder of the user's that happens to be called like one of ours is not imported.
        command = [sys.executable, "-P", "-m", "ops", node.role, "--config", str(config)]
        return [*command, *flags, "--supervisor-fd", str(fd)]

    return Program(node.id, node.role, argv)
