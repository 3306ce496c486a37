"""The bus under a measurement: `--bus` and `--bus-url`, as `relaymesh up` has them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_kind = click.option(
    "--bus", type=click.Choice(["redis", "rocketmq"]), default="redis", show_default=True
)
_url = click.option(
    "--bus-url", default="", metavar="HOST:PORT", help="A running RocketMQ name server."
)


def bus_options(command: F) -> F:
    """Give `command` the two options, as `bus` and `bus_url`."""
    return _kind(_url(command))


def up_options(bus: str, bus_url: str) -> list[str]:
    """Return what `relaymesh up` is to be given for that bus."""
    return ["--bus", bus, *(["--bus-url", bus_url] if bus_url else [])]
