import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from ops.errors import Failure
from ops.processes.child import Program
from ops.processes.log_file import logs_in
from ops.processes.supervisor import Supervisor

FAKE = """
import signal, socket, sys, time
fd, name, order = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def stop(*_):
    with open(order, "a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print('{"level":"warning","event":"hello"}', flush=True)
socket.socket(fileno=fd).send(b"ready\\n")
while True:
    signal.pause()
"""

DEAF = FAKE.replace("signal.SIGTERM, stop", "signal.SIGTERM, signal.SIG_IGN")

DRAINING = """
import signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
socket.socket(fileno=int(sys.argv[1])).send(b"ready\\n")
signal.sigwait({signal.SIGTERM})
"""
"""Ends with code 0, as a node does that was ordered to drain."""


class Cluster:
    """A supervisor with what it reported, on programs that are quick to start."""

    def __init__(self, nursery: trio.Nursery, folder: Path, drain_s: float | None = None) -> None:
        self.reports: list[str] = []
        self.order = folder / "order"
        self.logs = folder
        self.supervisor = Supervisor(
            nursery, logs_in(folder), lambda _: None, self.reports.append, drain_s
        )

    def program(self, name: str, code: str = FAKE) -> Program:
        def argv(fd: int) -> list[str]:
            return [sys.executable, "-I", "-S", "-c", code, str(fd), name, str(self.order)]

        return Program(name, name.partition("-")[0], argv)

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(10):
            while not condition():
                await trio.sleep(0.002)


@pytest.fixture
async def cluster(nursery: trio.Nursery, tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(nursery, tmp_path)
    yield cluster
    for child in list(cluster.supervisor.children.values()):
        child.kill()
        await child.ended.wait()


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_process_that_dies_is_started_again_and_counted(cluster: Cluster) -> None:
    await cluster.supervisor.start([cluster.program("relay-1"), cluster.program("relay-2")])
    child, other = cluster.supervisor.children.values()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await cluster.until(lambda: child.restarts == 1 and child.ready.is_set())
    assert child.pid not in (first, None)
    assert other.restarts == 0
    assert "relay-1  was killed by SIGKILL; starting it again" in cluster.reports


async def test_a_process_that_has_drained_is_started_again_and_not_counted(
    cluster: Cluster,
) -> None:
    await cluster.supervisor.start([cluster.program("relay-1", DRAINING)])
    (child,) = cluster.supervisor.children.values()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGTERM)
    await cluster.until(lambda: child.pid not in (first, None) and child.ready.is_set())
    assert child.restarts == 0
    assert "relay-1  has drained; starting it again" in cluster.reports


async def test_roles_drain_in_order(cluster: Cluster) -> None:
    names = ["redis-store", "relay-1", "logic-1", "router-1", "access-1"]
    await cluster.supervisor.start(map(cluster.program, names))
    pids = cluster.supervisor.pids()
    await cluster.supervisor.stop()
    assert cluster.order.read_text().split() == names[::-1]
    assert not any(map(alive, pids.values()))
    assert cluster.supervisor.pids() == {}


async def test_who_does_not_drain_in_time_is_killed(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, tmp_path, drain_s=0.05)
        programs = [cluster.program("relay-1", DEAF), cluster.program("logic-1")]
        await cluster.supervisor.start(programs)
        pids = cluster.supervisor.pids()
        await cluster.supervisor.stop()
    assert not any(map(alive, pids.values()))
    assert "relay-1  did not drain in time and is killed" in cluster.reports


async def test_warnings_of_children_reach_the_eyes_and_all_lines_the_log(cluster: Cluster) -> None:
    await cluster.supervisor.start([cluster.program("relay-1")])
    await cluster.until(lambda: "relay-1  warning: hello" in cluster.reports)
    assert (cluster.logs / "relay-1.log").read_text() == '{"level":"warning","event":"hello"}\n'


async def test_one_that_was_added_is_kept_running_and_retired_for_good(cluster: Cluster) -> None:
    await cluster.supervisor.start([cluster.program("access-1")])
    cluster.supervisor.add(cluster.program("access-hot-1"))
    child = cluster.supervisor.children["access-hot-1"]
    await cluster.until(lambda: child.pid is not None and child.ready.is_set())
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await cluster.until(lambda: child.pid not in (first, None) and child.ready.is_set())
    await cluster.supervisor.retire("access-hot-1")
    assert cluster.order.read_text().split() == ["access-hot-1"]
    await cluster.until(lambda: list(cluster.supervisor.children) == ["access-1"])
    assert child.restarts == 1


async def test_one_that_was_added_and_never_gets_ready_harms_nobody(cluster: Cluster) -> None:
    await cluster.supervisor.start([cluster.program("access-1")])
    cluster.supervisor.add(
        cluster.program("access-hot-1", "print('Error: no luck'); raise SystemExit(2)")
    )
    await cluster.until(lambda: list(cluster.supervisor.children) == ["access-1"])
    assert "access-hot-1 does not start: no luck" in cluster.reports[-1]
    assert cluster.supervisor.children["access-1"].restarts == 0


@pytest.mark.parametrize(("code", "runs"), [(2, 1), (1, 3)])
async def test_a_program_that_never_gets_ready_fails_the_start(
    tmp_path: Path, code: int, runs: int
) -> None:
    script = f"print('Error: no luck'); raise SystemExit({code})"
    with pytest.RaisesGroup(pytest.RaisesExc(Failure, match="relay-1 does not start: no luck")):
        async with trio.open_nursery() as nursery:
            cluster = Cluster(nursery, tmp_path)
            await cluster.supervisor.start([cluster.program("relay-1", script)])
    assert (tmp_path / "relay-1.log").read_text().count("no luck") == runs


async def test_a_slow_start_names_who_is_late(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.processes.supervisor.LATE_S", 0.05)
    silent = FAKE.replace('send(b"ready\\n")', "getsockname()")
    with trio.move_on_after(0.3):
        await cluster.supervisor.start([cluster.program("relay-1", silent)])
    assert f"relay-1  is not ready yet (log: {cluster.logs}/relay-1.log)" in cluster.reports


async def test_a_cancelled_supervisor_leaves_no_process(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        cluster = Cluster(nursery, tmp_path)
        await cluster.supervisor.start([cluster.program("relay-1", DEAF)])
        pids = cluster.supervisor.pids()
        nursery.cancel_scope.cancel()
    assert pids
    assert not any(map(alive, pids.values()))


PARENT = """
import sys, trio
from pathlib import Path
from ops.cluster.redis_server import find_server, prepare
from ops.cluster.run import redis_program
from ops.processes.child import Program
from ops.cluster.state_dir import StateDir
from ops.processes.log_file import logs_in
from ops.processes.supervisor import Supervisor

NODE = '''
import sys, trio
from ops.supervision import Supervision
async def main():
    supervision = Supervision(int(sys.argv[1]))
    supervision.say_ready()
    await supervision.die_when_orphaned()
trio.run(main)
'''

async def main():
    state = StateDir(Path(sys.argv[1]))
    state.take()
    async with trio.open_nursery() as nursery:
        logs = logs_in(state.folder("logs"))
        supervisor = Supervisor(nursery, logs, lambda _: None, lambda _: None)
        store = prepare(find_server(None), "redis-store", state, "password")
        node = Program("n-1", "relay", lambda fd: [sys.executable, "-c", NODE, str(fd)])
        await supervisor.start([redis_program(store), node])
        print(*supervisor.pids().values(), flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


async def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "s")], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        parent.kill()
    with trio.fail_after(5):
        while any(map(alive, pids)):
            await trio.sleep(0.005)
