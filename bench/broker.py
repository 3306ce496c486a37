"""A RocketMQ broker that chaos may kill: one that `scripts/rocketmq.sh` looks after."""

import subprocess
from pathlib import Path

import click
import trio

SCRIPT = Path(__file__).parents[1] / "scripts" / "rocketmq.sh"

script_option = click.option(
    "--bus-script",
    default=SCRIPT,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Kills and starts the RocketMQ broker; default: this checkout's scripts/rocketmq.sh.",
)


class Broker:
    """Killed and started through `script`, which finds it by its environment variables."""

    def __init__(self, script: Path) -> None:
        self.away_s: list[float] = []
        self._script = str(script)
        self._turn = trio.Lock()

    def require(self, url: str) -> None:
        """Raise `ClickException` unless the script's broker runs and is the one behind `url`."""
        done = subprocess.run(
            [self._script, "status"], capture_output=True, text=True, timeout=10, check=False
        )
        if done.returncode != 0 or url not in done.stdout.split():
            found = "; ".join(done.stdout.split("\n")).strip("; ") or done.stderr.strip()
            raise click.ClickException(
                f"{self._script} has no running broker at {url} ({found}): only a broker that it "
                "started can be killed; start one with `just rocketmq up`, or leave bus out of "
                "--kill"
            )

    async def kill(self, nursery: trio.Nursery) -> None:
        """Kill the broker with SIGKILL; it comes back in `nursery`. Waits for an earlier return."""
        await self._turn.acquire()
        self._turn.release()
        await nursery.start(self._bounce)

    async def _bounce(self, task_status: trio.TaskStatus[None]) -> None:
        async with self._turn:
            began_s = trio.current_time()
            await self._run("kill-broker")
            task_status.started()
            await self._run("start-broker")
            self.away_s.append(round(trio.current_time() - began_s, 1))

    async def _run(self, command: str) -> None:
        done = await trio.run_process(
            [self._script, command], capture_stdout=True, capture_stderr=True, check=False
        )
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip()
            raise click.ClickException(f"{self._script} {command}: {words}")
