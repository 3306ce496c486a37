"""Several processes together: started in order, stopped in order, none left."""

from collections.abc import Callable, Iterable

import trio

from ops.errors import Failure
from ops.processes.child import Child, Log, Program, Report

STOP_ORDER = ("access", "router", "logic", "relay", "redis")
"""Who takes from clients goes first, who keeps what was acknowledged goes last."""

STOP_DEADLINE_S = 8.0
"""For each role; above the five seconds that a node gives itself to drain."""

LATE_S = 10.0
"""How often a start that takes long names those it waits for."""


class Supervisor:
    """Runs programs until `stop`; the nursery holds one task for each of them.

    `log_of` opens the log of the program with an id; `drain_s` is what each role has to drain.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        log_of: Callable[[str], Log],
        changed: Callable[["Supervisor"], None],
        report: Report,
        drain_s: float | None = None,
    ) -> None:
        self.children: dict[str, Child] = {}
        self._nursery = nursery
        self._log_of = log_of
        self._drain_s = STOP_DEADLINE_S if drain_s is None else drain_s
        self._changed = changed
        self._report = report

    async def start(self, programs: Iterable[Program]) -> None:
        """Start `programs` side by side and return when all are ready."""
        started = [self._start(program) for program in programs]
        async with trio.open_nursery() as watching:
            watching.start_soon(self._say_who_is_late, started)
            for child in started:
                await child.first_ready.wait()
            watching.cancel_scope.cancel()

    async def stop(self) -> None:
        """Drain role by role; who is not done within the deadline is killed."""
        for role in STOP_ORDER:
            children = [each for each in self.children.values() if each.program.role == role]
            for child in children:
                child.stop()
            await self._until_ended(children)

    def add(self, program: Program) -> None:
        """Start `program` beside the others, at once, and keep it running until `retire`.

        One that never gets ready is reported and given up; the others go on.
        """
        self._nursery.start_soon(self._keep_or_give_up, self._child(program))

    async def retire(self, name: str) -> None:
        """Drain one program for good, within the deadline, and return when it has ended."""
        child = self.children[name]
        child.stop()
        await self._until_ended([child])

    def pids(self) -> dict[str, int]:
        """Return the process id of each child that has a process."""
        return {name: each.pid for name, each in self.children.items() if each.pid is not None}

    def _start(self, program: Program) -> Child:
        child = self._child(program)
        self._nursery.start_soon(child.keep)
        return child

    def _child(self, program: Program) -> Child:
        child = Child(program, self._log_of(program.id), lambda: self._changed(self), self._report)
        self.children[program.id] = child
        return child

    async def _keep_or_give_up(self, child: Child) -> None:
        try:
            await child.keep()
        except Failure as failure:
            self._report(failure.message)
        finally:
            del self.children[child.program.id]
            self._changed(self)

    async def _until_ended(self, children: list[Child]) -> None:
        with trio.move_on_after(self._drain_s) as patience:
            for child in children:
                await child.ended.wait()
        if patience.cancelled_caught:
            await self._kill(children)

    async def _say_who_is_late(self, started: list[Child]) -> None:
        while True:
            await trio.sleep(LATE_S)
            for child in started:
                if not child.first_ready.is_set():
                    self._report(f"{child.program.id}  is not ready yet{child.log}")

    async def _kill(self, children: list[Child]) -> None:
        for child in children:
            if not child.ended.is_set():
                self._report(f"{child.program.id}  did not drain in time and is killed")
                child.kill()
        for child in children:
            await child.ended.wait()
