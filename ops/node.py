"""One node: a role with its health endpoints, from config to drained."""

import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import trio
from starlette.applications import Starlette

from ops.config.load import NodeConfig
from ops.errors import Failure
from ops.health import application, serve_http
from ops.roles import Run, Service
from ops.supervision import Supervision

READY_POLL_S = 0.02
log = structlog.get_logger()


def node_id(config: NodeConfig) -> str:
    """Return the configured id or, for a node alone, one made of role and process id."""
    return config.node.id or f"{config.role}-{os.getpid()}"


async def run_node(config: NodeConfig, run: Run, supervision: Supervision) -> None:
    """Run the role until SIGTERM or SIGINT, then drain it within `node.drain_s` seconds.

    Raises, in an exception group, what the role raised, `OSError` if an address can't be listened
    at, or `Failure` if the role ended by itself.
    """
    stopping = trio.Event()
    async with trio.open_nursery() as background:
        background.start_soon(_stop_on_signal, stopping)
        background.start_soon(supervision.die_when_orphaned)
        with trio.CancelScope() as scope:
            background.start_soon(_cut_after, stopping, config.node.drain_s, scope)
            await _serve(config, run, supervision, stopping)
        background.cancel_scope.cancel()
    if scope.cancelled_caught:
        log.warning("drain_cut", after_s=config.node.drain_s)


async def _serve(
    config: NodeConfig, run: Run, supervision: Supervision, stopping: trio.Event
) -> None:
    drained = trio.Event()
    async with trio.open_nursery() as http:
        async with trio.open_nursery() as role:
            service = await role.start(partial(run, config.own, stopping=stopping))
            urls = await http.start(_http(application(service), config.node.http, drained))
            role.start_soon(_announce, service, supervision, urls, stopping)
        drained.set()
    if not stopping.is_set():
        raise Failure(f"the {config.role} role ended by itself")
    log.info("node_stopped")


def _http(app: Starlette, listen: str, stopping: trio.Event) -> Callable[..., Awaitable[None]]:
    return partial(serve_http, app, listen, stopping=stopping)


async def _announce(
    service: Service, supervision: Supervision, urls: list[str], stopping: trio.Event
) -> None:
    """Say once that the node is ready."""
    while not service.ready():
        if stopping.is_set():
            return
        await trio.sleep(READY_POLL_S)
    log.info("node_ready", http=urls[0])
    supervision.say_ready()


async def _stop_on_signal(stopping: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("node_stopping", signal=signal.Signals(number).name)
            stopping.set()


async def _cut_after(stopping: trio.Event, drain_s: float, scope: trio.CancelScope) -> None:
    await stopping.wait()
    await trio.sleep(drain_s)
    scope.cancel()
