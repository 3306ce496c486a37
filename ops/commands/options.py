"""Options that say which cluster a command is about: the same words for all commands."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ops.cluster.plan import DEFAULT_PORT_BASE

F = TypeVar("F", bound=Callable[..., Any])

port_base = click.option(
    "--port-base", default=DEFAULT_PORT_BASE, show_default=True, help="Of the cluster."
)

secret_file = click.option(
    "--secret-file", type=click.Path(path_type=Path), help="File with the secret, in its place."
)


def state_dir(text: str) -> Callable[[F], F]:
    """Return the option `--state-dir` with `text` as its help."""
    return click.option(
        "--state-dir",
        default=".relaymesh",
        show_default=True,
        type=click.Path(path_type=Path),
        help=text,
    )
