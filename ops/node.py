"""One node: a role with its health endpoints, from config to drained."""

import gc
import os
import random
import signal
import socket
from functools import partial

import structlog
import trio

from ops.config.load import NodeConfig
from ops.config.reloading import Reloading
from ops.errors import Failure
from ops.health import application, listen, url_of
from ops.http_serving import serve_http
from ops.roles import Run, Service
from ops.supervision import Supervision
from proto.identity import NodeIdentity
from proto.ids import new_id

READY_POLL_S = 0.02
YOUNG_OBJECTS = 20_000
"""Objects made before the collector looks at the youngest: most of a node's are gone by then."""

log = structlog.get_logger()


def node_id(config: NodeConfig) -> str:
    """Return the configured id or, for a node alone, one made of role and process id."""
    return config.node.id or f"{config.role}-{os.getpid()}"


async def run_node(
    config: NodeConfig,
    run: Run,
    supervision: Supervision,
    reloading: Reloading | None = None,
) -> None:
    """Run the role until SIGTERM, SIGINT or an order to drain, then drain it within `node.drain_s`
    seconds; `reloading` follows the config while it runs.

    Raises `Failure` if `node.http` can't be listened at; in an exception group, what the role
    raised, or `Failure` if it ended by itself.
    """
    server = listen(config.node.http)
    stopping = trio.Event()
    async with trio.open_nursery() as background:
        background.start_soon(_stop_on_signal, stopping)
        background.start_soon(supervision.die_when_orphaned)
        with trio.CancelScope() as scope:
            background.start_soon(_cut_after, stopping, config.node.drain_s, scope)
            await _serve(config, run, server, supervision, stopping, reloading)
        background.cancel_scope.cancel()
    if scope.cancelled_caught:
        log.warning("drain_cut", after_s=config.node.drain_s)


async def _serve(
    config: NodeConfig,
    run: Run,
    server: socket.socket,
    supervision: Supervision,
    stopping: trio.Event,
    reloading: Reloading | None,
) -> None:
    drained = trio.Event()
    identity = _identity(config, server)
    async with trio.open_nursery() as http:
        async with trio.open_nursery() as role:
            service = await role.start(partial(run, config.own, identity, stopping=stopping))
            serve = partial(
                serve_http,
                application(service, reloading),
                server,
                stopping=drained,
                most=config.node.http_connections,
            )
            await http.start(serve)
            role.start_soon(_announce, service, identity, supervision, stopping)
            if reloading is not None:
                http.start_soon(_until, drained, reloading, service)
        drained.set()
    if not stopping.is_set():
        raise Failure(f"the {config.role} role ended by itself")
    log.info("node_stopped")


def _identity(config: NodeConfig, server: socket.socket) -> NodeIdentity:
    return NodeIdentity(
        node=node_id(config),
        region=config.node.region,
        incarnation=new_id(random.SystemRandom().getrandbits),
        http_url=url_of(server),
    )


async def _announce(
    service: Service, identity: NodeIdentity, supervision: Supervision, stopping: trio.Event
) -> None:
    """Say once that the node is ready."""
    while not service.ready():
        if stopping.is_set():
            return
        await trio.sleep(READY_POLL_S)
    settle_memory()
    log.info("node_ready", http=identity.http_url)
    supervision.say_ready()


async def _until(drained: trio.Event, reloading: Reloading, service: Service) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reloading.follow, service)
        await drained.wait()
        nursery.cancel_scope.cancel()


async def _stop_on_signal(stopping: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("node_stopping", signal=signal.Signals(number).name)
            stopping.set()


async def _cut_after(stopping: trio.Event, drain_s: float, scope: trio.CancelScope) -> None:
    await stopping.wait()
    await trio.sleep(drain_s)
    scope.cancel()


def settle_memory() -> None:
    """Take what was made by starting out of the garbage collector's sight.

    Modules, classes and settings live as long as the process; looking through them again and again
    would stop a busy node for tens of milliseconds each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
