"""The whole crowd: a few child processes, and the sum of what they report."""

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import trio

from bench.hot_room.crowd_child import Orders, Report

CHILDREN = 2
END_S = 10.0


class Crowd:
    """Viewers in children; `reports` has the last word of each."""

    def __init__(self, children: Sequence[trio.Process]) -> None:
        self._children = children
        self.reports = [Report() for _ in children]

    @property
    def live(self) -> int:
        """How many viewers are in the room."""
        return sum(report.live for report in self.reports)

    @property
    def at(self) -> Counter[str]:
        """How many are on each node."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.at)
        return total

    def sum(self, name: str) -> int:
        """Return the sum of a figure of the reports."""
        return sum(getattr(report, name) for report in self.reports)

    @property
    def busiest_s(self) -> int:
        """Most reconnects within one second, of all children together."""
        seconds: Counter[int] = Counter()
        for report in self.reports:
            seconds.update(report.reconnects)
        return max(seconds.values(), default=0)

    @property
    def reasons(self) -> dict[str, int]:
        """Why connections ended that should not have, and how often."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total.update(report.reasons)
        return dict(total)

    async def keep(self, viewers: int) -> None:
        """Let all but about `viewers` leave."""
        await self._say(f"leave {viewers // len(self._children)}\n")

    async def end(self) -> None:
        """End all, once they have said where they are."""
        await self._say("end\n")
        with trio.move_on_after(END_S):
            for child in self._children:
                await child.wait()

    async def listen(self, number: int) -> None:
        """Take what child `number` reports until it ends."""
        buffer = b""
        stdout = self._children[number].stdout
        assert stdout is not None
        async for data in stdout:
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                self.reports[number] = msgspec.json.decode(line, type=Report)

    async def _say(self, word: str) -> None:
        for child in self._children:
            assert child.stdin is not None
            await child.stdin.send_all(word.encode())


@asynccontextmanager
async def gathering(
    gateways: list[str], secret: str, room: str, viewers: int, come_per_s: float
) -> AsyncIterator[Crowd]:
    """Have `viewers` come, `come_per_s` of them a second; they are gone afterwards."""
    async with trio.open_nursery() as nursery:
        children = [
            await _start(
                nursery,
                Orders(
                    gateways,
                    secret,
                    room,
                    f"crowd-{number}",
                    viewers // CHILDREN,
                    come_per_s / CHILDREN,
                ),
            )
            for number in range(CHILDREN)
        ]
        crowd = Crowd(children)
        for number in range(CHILDREN):
            nursery.start_soon(crowd.listen, number)
        try:
            yield crowd
        finally:
            for child in children:
                child.kill()


async def _start(nursery: trio.Nursery, orders: Orders) -> trio.Process:
    command = [sys.executable, "-m", "bench.hot_room.crowd_child"]
    process: trio.Process = await nursery.start(
        lambda task_status: trio.run_process(
            [*command, msgspec.json.encode(orders).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            check=False,
            task_status=task_status,
        )
    )
    return process
