"""A click group that imports a subcommand when it is called, not before.

Imports are most of a node's start time, so `relaymesh relay` must not pay for the benchmarks.
"""

from importlib import import_module
from typing import NamedTuple

import click


class Subcommand(NamedTuple):
    """Where a subcommand lives (`module:attribute`) and its line in `--help`."""

    target: str
    summary: str


class LazyGroup(click.Group):
    """A group whose subcommands are named in a table and imported on use."""

    def __init__(self, name: str, subcommands: dict[str, Subcommand], summary: str) -> None:
        super().__init__(name, help=summary)
        self._subcommands = subcommands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the table."""
        return list(self._subcommands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the subcommand named `cmd_name`, or `None` if there is none."""
        subcommand = self._subcommands.get(cmd_name)
        if subcommand is None:
            return None
        module, _, attribute = subcommand.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{subcommand.target} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the help's list of subcommands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.summary) for name, each in self._subcommands.items()])
