"""Which workers a config asks for, and what each is told beside that config. Pure."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ops.config.load import NodeConfig
from ops.errors import Refusal

LAST_PORT = 65535

Share = Callable[[msgspec.Struct, int], dict[str, Any]]
"""What worker number n (from 0) is told of the role's settings, by the path of the key."""


@dataclass(frozen=True)
class Part:
    """Which of how many workers, from 0."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Return what `str` made a text of."""
        index, _, count = text.partition("/")
        return cls(int(index), int(count))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Worker(NamedTuple):
    """One worker: a node whose config is the group's, changed by `flags` (TABLE.KEY=VALUE) and by
    its part of what is for all of them together."""

    id: str
    http: str
    part: Part
    flags: tuple[str, ...]


def count_of(config: NodeConfig) -> int:
    """Return how many processes the config asks for."""
    count: int = getattr(config.own, "workers", 1)
    return count


def workers(config: NodeConfig, group: str, log_format: str) -> tuple[Worker, ...]:
    """Return the workers of the node called `group`.

    They have its name and -w1, -w2, …, and serve HTTP at its port plus 1, plus 2, …; port 0 gives
    each a free one. Raises `Refusal` where there are no such ports.
    """
    count = count_of(config)
    return tuple(_worker(config, group, log_format, Part(n, count)) for n in range(count))


def part_flags(config: NodeConfig, part: Part, share: Share) -> tuple[str, ...]:
    """Return the flags that make of the group's config that of the worker with `part` of it.

    They are made anew of each config that is loaded, so that a bound of the whole can change.
    """
    own = replace(config.own, workers=part.count)
    told = share(own, part.index).items()
    return tuple(f"{config.role}.{key}={_text(value)}" for key, value in told)


def _worker(config: NodeConfig, group: str, log_format: str, part: Part) -> Worker:
    node, http = f"{group}-w{part.index + 1}", _http(config.node.http, part.index + 1)
    flags = (f"node.id={node}", f"node.http={http}", f"log.format={log_format}")
    return Worker(node, http, part, flags)


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
