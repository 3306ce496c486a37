"""Which workers a config asks for, and what each is told beside that config. Pure."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from ops.config.load import NodeConfig
from ops.errors import Refusal

LAST_PORT = 65535

Share = Callable[[msgspec.Struct, int], dict[str, Any]]
"""What worker number n (from 0) is told of the role's settings, by the path of the key."""


class Worker(NamedTuple):
    """One worker: a node whose config is the group's, changed by `flags` (TABLE.KEY=VALUE)."""

    id: str
    http: str
    flags: tuple[str, ...]


def count_of(config: NodeConfig) -> int:
    """Return how many processes the config asks for."""
    count: int = getattr(config.own, "workers", 1)
    return count


def workers(config: NodeConfig, group: str, log_format: str, share: Share) -> tuple[Worker, ...]:
    """Return the workers of the node called `group`.

    They have its name and -w1, -w2, …, and serve HTTP at its port plus 1, plus 2, …; port 0 gives
    each a free one. Raises `Refusal` where there are no such ports.
    """
    return tuple(
        _worker(config, group, log_format, share, index) for index in range(count_of(config))
    )


def _worker(config: NodeConfig, group: str, log_format: str, share: Share, index: int) -> Worker:
    node, http = f"{group}-w{index + 1}", _http(config.node.http, index + 1)
    own = {f"{config.role}.{key}": value for key, value in share(config.own, index).items()}
    told = {"node.id": node, "node.http": http, "log.format": log_format, **own}
    return Worker(node, http, tuple(f"{key}={_text(value)}" for key, value in told.items()))


def _http(address: str, offset: int) -> str:
    host, _, port = address.rpartition(":")
    if int(port) == 0:
        return address
    if int(port) + offset > LAST_PORT:
        raise Refusal(
            f"node.http: expected a port with one more for each worker behind it, got {port}"
        )
    return f"{host}:{int(port) + offset}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
