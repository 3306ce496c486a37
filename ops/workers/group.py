"""Runs the workers: what a node's process does when its config asks for several."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from signal import SIGHUP
from typing import Any

import msgspec
import structlog
import trio
from prometheus_client.registry import Collector

from ops.processes.child import Program
from ops.processes.supervisor import Supervisor
from ops.workers.metrics import WorkersCollector
from ops.workers.plan import Worker
from proto.identity import NodeIdentity

log = structlog.get_logger()

Argv = Callable[[Worker, int], list[str]]
"""Makes a worker's command line; the number is the descriptor of its supervision socket."""


class PassedOn:
    """A worker's log lines go where ours go: they say themselves which node they are of."""

    where = ""

    def __init__(self) -> None:
        self.last_lines: deque[str] = deque(maxlen=5)

    def write(self, line: bytes) -> None:
        """Pass on a line with its newline: eyes have it then."""
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        self.last_lines.append(line.decode("utf-8", "replace").rstrip())

    def close(self) -> None:
        """Leave our standard error open."""


class Group:
    """The workers of one role; `run` is an `ops.roles.Run`.

    `drain_s` is what each may take to drain, before it is killed.
    """

    def __init__(
        self,
        role: str,
        workers: Sequence[Worker],
        argv: Argv,
        drain_s: float,
    ) -> None:
        self._role = role
        self._workers = workers
        self._argv = argv
        self._drain_s = drain_s

    async def run(
        self,
        _settings: msgspec.Struct,
        _identity: NodeIdentity,
        /,
        *,
        stopping: trio.Event,
        task_status: trio.TaskStatus["Shown"] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep the workers running until `stopping`, then drain all at the same time.

        Raises `Failure` if one never gets ready.
        """
        async with trio.open_nursery() as nursery:
            supervisor = Supervisor(
                nursery, lambda _: PassedOn(), lambda _: None, _report, self._drain_s
            )
            nursery.start_soon(supervisor.start, map(self._program, self._workers))
            task_status.started(Shown(self._workers, supervisor))
            await stopping.wait()
            await supervisor.stop()
            nursery.cancel_scope.cancel()

    def _program(self, worker: Worker) -> Program:
        return Program(worker.id, self._role, lambda fd: self._argv(worker, fd))


class Shown:
    """The group as its own HTTP shows it; see `ops.roles.Service`."""

    def __init__(self, workers: Sequence[Worker], supervisor: Supervisor) -> None:
        self._workers = workers
        self._supervisor = supervisor

    def ready(self) -> bool:
        """Say whether clients may be sent here: a worker that is ready takes them."""
        return any(child.ready.is_set() for child in self._supervisor.children.values())

    def hung_up(self) -> None:
        """Pass SIGHUP on: each worker reads its config anew."""
        for child in self._supervisor.children.values():
            child.signal(SIGHUP)

    def status(self) -> dict[str, Any]:
        """Return each worker: its process, its HTTP and how often it was started again."""
        return {"workers": [self._of(worker) for worker in self._workers]}

    def collectors(self) -> Iterable[Collector]:
        """Return the group's own metrics; each worker serves its own."""
        return [WorkersCollector(self._supervisor)]

    def _of(self, worker: Worker) -> dict[str, Any]:
        child = self._supervisor.children.get(worker.id)
        return {
            "node": worker.id,
            "http": f"http://{worker.http}",
            "pid": child.pid if child else None,
            "ready": child is not None and child.ready.is_set(),
            "restarts": child.restarts if child else 0,
        }


def _report(line: str) -> None:
    log.warning("worker", says=line)
