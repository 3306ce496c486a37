"""The roles: which packages they are and how ops talks to them.

A role package has `settings.Settings` (a msgspec Struct, defaults for every field) and
`service.run(settings, identity, *, stopping, task_status)`. One whose settings have `workers` also
has `workers.share_of(settings, index)`. Nothing in ops reaches deeper.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Protocol

import msgspec
import trio
from prometheus_client.registry import Collector

from proto.identity import NodeIdentity

ROLES = ("access", "relay", "router", "logic")


class Service(Protocol):
    """A running role as ops sees it. It may also have

    - `routes()`, Starlette routes to be served,
    - `reconfigured(settings)`, which takes over the keys that reload (`proto.settings_types`); all
      others are as they were at the start. It raises `RestartNeededError` for what takes a
      restart this time, `ValueError` or `OSError` for what can't be used, and then has changed
      nothing,
    - `hung_up()`, which is told of each SIGHUP."""

    def ready(self) -> bool:
        """Return whether the node can do its work now."""

    def status(self) -> dict[str, Any]:
        """Return what the node is doing, as JSON-able values."""

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors that `/metrics` reads on each scrape."""


class Run(Protocol):
    """`service.run` of a role: calls `task_status.started(service)`, drains after `stopping`."""

    async def __call__(
        self,
        settings: msgspec.Struct,
        identity: NodeIdentity,
        /,
        *,
        stopping: trio.Event,
        task_status: trio.TaskStatus[Service],
    ) -> None:
        """Run until `stopping` is set, then drain and return."""


def settings_of(role: str) -> type[msgspec.Struct]:
    """Return the `Settings` Struct of `role` without importing the rest of it."""
    settings: type[msgspec.Struct] = import_module(f"{role}.settings").Settings
    return settings


def run_of(role: str) -> Run:
    """Return the `run` function of `role`."""
    run: Run = import_module(f"{role}.service").run
    return run


def share_of(role: str) -> Callable[[msgspec.Struct, int], dict[str, Any]]:
    """Return the function that says what each worker of `role` is told; see `access.workers`."""
    share: Callable[[msgspec.Struct, int], dict[str, Any]] = import_module(
        f"{role}.workers"
    ).share_of
    return share
