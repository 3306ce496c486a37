"""`relaymesh access|relay|router|logic`: one node of one role."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import click
import structlog
import trio
from msgspec.structs import replace

from ops.config.load import NodeConfig, load
from ops.config.reloading import Reloading
from ops.errors import Failure, one_line, root_cause
from ops.limits import raise_file_limit
from ops.logging import configure, is_console
from ops.node import node_id, run_node
from ops.roles import Run, run_of, share_of
from ops.supervision import Supervision
from ops.workers.group import Group
from ops.workers.plan import Part, Worker, count_of, part_flags, workers

KILL_AFTER_S = 1.0
"""How long after its own time to drain a worker is killed, and then its parent cuts itself."""


def role_command(role: str) -> click.Command:
    """Return the command that runs one node of `role`."""

    @click.command(role, help=f"Run one {role} node until SIGTERM or Ctrl-C.")
    @click.option("--config", "file", type=click.Path(path_type=Path), help="TOML file.")
    @click.option("--set", "flags", multiple=True, metavar="TABLE.KEY=VALUE", help="Overrides.")
    @click.option("--supervisor-fd", type=int, hidden=True)
    @click.option("--worker", "part", type=Part.parse, hidden=True)
    def command(
        file: Path | None, flags: tuple[str, ...], supervisor_fd: int | None, part: Part | None
    ) -> None:
        supervision = Supervision(supervisor_fd)
        read = partial(_load, role, file, flags, part)
        config = read()
        reloading = Reloading(config, file, read)
        if count_of(config) > 1:
            _run(*_group(config, file, flags), supervision, reloading)
        else:
            _run(config, run_of(role), supervision, reloading)

    return command


def _load(
    role: str, file: Path | None, flags: tuple[str, ...], part: Part | None = None
) -> NodeConfig:
    """Return the config of a node, or of a worker that has `part` of what is for all of a group."""
    config = load(role, file, os.environ, flags)
    if part is None:
        return config
    return load(role, file, os.environ, (*flags, *part_flags(config, part, share_of(role))))


def _group(config: NodeConfig, file: Path | None, flags: tuple[str, ...]) -> tuple[NodeConfig, Run]:
    """Return the config and the run of a process that has workers do the work."""
    form = "console" if is_console(config.log.format) else "json"
    planned = workers(config, node_id(config), form)

    def argv(worker: Worker, fd: int) -> list[str]:
        told = [f"--set={flag}" for flag in (*flags, *worker.flags)]
        where = ["--config", str(file)] if file else []
        command = [sys.executable, "-P", "-m", "ops", config.role, *where, *told]
        return [*command, "--worker", str(worker.part), "--supervisor-fd", str(fd)]

    drain_s = config.node.drain_s + KILL_AFTER_S
    group = Group(config.role, planned, argv, drain_s)
    patient = replace(config.node, drain_s=drain_s + KILL_AFTER_S)
    return config._replace(node=patient), group.run


def _run(config: NodeConfig, run: Run, supervision: Supervision, reloading: Reloading) -> None:
    configure(config.log, node=node_id(config), role=config.role)
    log = structlog.get_logger()
    log.debug("file_limit", files=raise_file_limit())
    # Until the node listens for it, a hangup has nothing to say: its config was just read.
    signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        trio.run(run_node, config, run, supervision, reloading)
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
