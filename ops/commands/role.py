"""`relaymesh access|relay|router|logic`: one node of one role."""

import os
import sys
from functools import partial
from pathlib import Path

import click
import structlog
import trio
from msgspec.structs import replace

from ops.config.following import follow
from ops.config.load import NodeConfig, load
from ops.errors import Failure, one_line, root_cause
from ops.limits import raise_file_limit
from ops.logging import configure, is_console
from ops.node import Follow, node_id, run_node
from ops.roles import Run, run_of, share_of, signals_of
from ops.supervision import Supervision
from ops.workers.group import Group
from ops.workers.plan import Worker, count_of, workers

KILL_AFTER_S = 1.0
"""How long after its own time to drain a worker is killed, and then its parent cuts itself."""


def role_command(role: str) -> click.Command:
    """Return the command that runs one node of `role`."""

    @click.command(role, help=f"Run one {role} node until SIGTERM or Ctrl-C.")
    @click.option("--config", "file", type=click.Path(path_type=Path), help="TOML file.")
    @click.option("--set", "flags", multiple=True, metavar="TABLE.KEY=VALUE", help="Overrides.")
    @click.option("--supervisor-fd", type=int, hidden=True)
    def command(file: Path | None, flags: tuple[str, ...], supervisor_fd: int | None) -> None:
        supervision = Supervision(supervisor_fd)
        config = load(role, file, os.environ, flags)
        if count_of(config) > 1:
            _run(*_group(config, file, flags), supervision)
        else:
            _run(config, run_of(role), supervision, _following(role, file, flags))

    return command


def _following(role: str, file: Path | None, flags: tuple[str, ...]) -> Follow | None:
    """Return what follows the node's config file, where it has one."""
    if file is None:
        return None
    return partial(follow, file, lambda: load(role, file, os.environ, flags).own)


def _group(config: NodeConfig, file: Path | None, flags: tuple[str, ...]) -> tuple[NodeConfig, Run]:
    """Return the config and the run of a process that has workers do the work."""
    form = "console" if is_console(config.log.format) else "json"
    planned = workers(config, node_id(config), form, share_of(config.role))

    def argv(worker: Worker, fd: int) -> list[str]:
        told = [f"--set={flag}" for flag in (*flags, *worker.flags)]
        where = ["--config", str(file)] if file else []
        command = [sys.executable, "-P", "-m", "ops", config.role, *where, *told]
        return [*command, "--supervisor-fd", str(fd)]

    drain_s = config.node.drain_s + KILL_AFTER_S
    group = Group(config.role, planned, argv, drain_s, signals_of(config.role)(config.own))
    patient = replace(config.node, drain_s=drain_s + KILL_AFTER_S)
    return config._replace(node=patient), group.run


def _run(
    config: NodeConfig, run: Run, supervision: Supervision, following: Follow | None = None
) -> None:
    configure(config.log, node=node_id(config), role=config.role)
    log = structlog.get_logger()
    log.debug("file_limit", files=raise_file_limit())
    try:
        trio.run(run_node, config, run, supervision, following)
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
