"""`relaymesh config check|show|example`: what a config file says, before anything starts."""

import os
from pathlib import Path

import click

from ops.config.check import missing, refuse_inner
from ops.config.load import complete, given, role_in
from ops.config.schema import tables_of
from ops.config.toml import document, example, masked
from ops.errors import Refusal
from ops.roles import ROLES

_role = click.option("--role", type=click.Choice(ROLES), help="Default: the role of FILE's table.")
_set = click.option("--set", "flags", multiple=True, metavar="TABLE.KEY=VALUE", help="Overrides.")
_file = click.argument("file", type=click.Path(path_type=Path), required=False)


@click.group("config")
def command() -> None:
    """Check and show config files."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@_role
@_set
def check(file: Path, role: str | None, flags: tuple[str, ...]) -> None:
    """Refuse unknown keys, wrong types and values out of range in FILE, by name."""
    role = role or role_in(file)
    nested = given(role, file, os.environ, flags)
    absent = missing(tables_of(role), nested)
    if absent:
        refuse_inner(tables_of(role), nested)
    else:
        complete(role, nested)
    still = f"; to be given elsewhere before it starts: {', '.join(absent)}" if absent else ""
    click.echo(f"{file}: a valid {role} config{still}")


@command.command("show")
@_file
@_role
@_set
def show(file: Path | None, role: str | None, flags: tuple[str, ...]) -> None:
    """Show what a node started with FILE would use: defaults, FILE, environment, --set.

    Secrets are masked. Without FILE it shows what the defaults and the environment say, for --role
    or for every role.
    """
    if file and not role:
        role = role_in(file)
    if flags and not role:
        raise Refusal("--set needs FILE or --role: it must be known which role's keys are meant")
    for each in [role] if role else ROLES:
        tables, nested = tables_of(each), given(each, file, os.environ, flags)
        absent = [f"# {name}: has no default and is not given" for name in missing(tables, nested)]
        click.echo("\n".join([f"# {each}", *absent, document(masked(tables, nested))]))


@command.command("example")
@click.argument("role", type=click.Choice(ROLES))
def show_example(role: str) -> None:
    """Print the documented example config of ROLE, with every key at its default."""
    click.echo(example(role, tables_of(role)), nl=False)
