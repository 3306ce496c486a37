"""`relaymesh access|relay|router|logic`: one node of one role."""

import os
import sys
from pathlib import Path

import click
import structlog
import trio

from ops.config.load import NodeConfig, load
from ops.errors import Failure, one_line, root_cause
from ops.limits import raise_file_limit
from ops.logging import configure, is_console
from ops.node import node_id, run_node
from ops.roles import run_of
from ops.supervision import Supervision


def role_command(role: str) -> click.Command:
    """Return the command that runs one node of `role`."""

    @click.command(role, help=f"Run one {role} node until SIGTERM or Ctrl-C.")
    @click.option("--config", "file", type=click.Path(path_type=Path), help="TOML file.")
    @click.option("--set", "flags", multiple=True, metavar="TABLE.KEY=VALUE", help="Overrides.")
    @click.option("--supervisor-fd", type=int, hidden=True)
    def command(file: Path | None, flags: tuple[str, ...], supervisor_fd: int | None) -> None:
        supervision = Supervision(supervisor_fd)
        _run(load(role, file, os.environ, flags), supervision)

    return command


def _run(config: NodeConfig, supervision: Supervision) -> None:
    configure(config.log, node=node_id(config), role=config.role)
    log = structlog.get_logger()
    log.debug("file_limit", files=raise_file_limit())
    try:
        trio.run(run_node, config, run_of(config.role), supervision)
    except Exception as error:
        cause = root_cause(error)
        # A log keeps the traceback of what nobody foresaw; eyes get the line alone.
        brief = isinstance(cause, Failure) or is_console(config.log.format)
        log.error("node_failed", reason=one_line(error), exc_info=None if brief else error)
        sys.exit(1)


access = role_command("access")
relay = role_command("relay")
router = role_command("router")
logic = role_command("logic")
