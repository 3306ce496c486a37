"""`relaymesh up` as a user runs it: real processes, real config, real stores; the roles' services
are replaced by quick ones where what is tested is the cluster around them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backends.http.signature import SIGNATURE, TIMESTAMP, sign
from backends.provisioner.webhook import signed_content
from bench.ports import free_port_base
from ops.cluster.plan import POOLS_OFFSET, SPAN
from ops.cluster.state_dir import command_line
from ops.command import relaymesh
from ops.roles import ROLES

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0
SMALL = ("--access", "1", "--relays", "1")

# The package has the real settings and a service of its own.
PACKAGE = f"__path__.append({str(ROOT)!r} + '/' + __name__)\n"
SERVICE = """
import os
from starlette.responses import JSONResponse
from starlette.routing import Route

async def links(request):
    return JSONResponse({"links": {"held": 99}})

class Service:
    def ready(self): return True
    def status(self): return {}
    def collectors(self): return []
    def routes(self): return [Route("/v1/status", links)]

async def run(settings, identity, *, stopping, task_status):
    if os.environ.get("FAIL") == identity.node:
        raise RuntimeError("no luck today")
    task_status.started(Service())
    await stopping.wait()
"""


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)


class Up:
    """Starts clusters, and sees to it that none outlives its test."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "state"
        self.port_base = free_port_base(2 * SPAN)
        self.roles = folder / "roles"
        self.processes: list[subprocess.Popen[str]] = []
        for role in ROLES:
            (self.roles / role).mkdir(parents=True)
            (self.roles / role / "__init__.py").write_text(PACKAGE)
            (self.roles / role / "service.py").write_text(SERVICE)

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        where = ["--port-base", str(self.port_base), "--state-dir", str(self.state_dir)]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ops", "up", "--json", *where, *options],
            env=os.environ | {"PYTHONPATH": str(self.roles)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def ready(self, *options: str, **environment: str) -> tuple[subprocess.Popen[str], Any]:
        """Start with as few nodes as there can be, and return when they are ready."""
        process = self.start(*SMALL, *options, **environment)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process, json.loads(line)

    def record(self) -> Any:
        return json.loads((self.state_dir / "cluster.json").read_text())

    def commands(self) -> list[str]:
        """Return the command lines that name the state folder, but for `up` itself."""
        named = [line for line in map(command_line, pids()) if str(self.state_dir) in line]
        return [line for line in named if " ops up " not in line]


def pids() -> list[int]:
    if Path("/proc/self").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    listing = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True, check=True)
    return list(map(int, listing.stdout.split()))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    yield from supervised(Up(tmp_path))


@pytest.fixture
def real_up(tmp_path: Path) -> Iterator[Up]:
    """As `up`, with the roles' own services."""
    up = Up(tmp_path)
    up.roles = tmp_path
    yield from supervised(up)


def supervised(up: Up) -> Iterator[Up]:
    yield up
    for process in up.processes:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    wait_until(lambda: up.commands() == [])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


@pytest.mark.cluster_long
def test_it_starts_restarts_and_stops_a_whole_cluster(up: Up) -> None:
    process, ready = up.ready("--routers", "2", "--access", "2", "--relays", "2")
    nodes = {"access-1", "access-2", "relay-1", "relay-2", "router-1", "router-2", "logic-1"}
    assert set(ready["pids"]) == nodes | {"redis-store", "redis-bus"}
    assert ready["demo"] == f"http://127.0.0.1:{up.port_base}/"
    assert ready["access"][1] == f"ws://127.0.0.1:{up.port_base + 11}/v1"
    assert Path(ready["state_dir"]) == up.state_dir
    assert len(up.commands()) == len(ready["pids"])
    for node in nodes:
        assert get(up.record()["nodes"][node]["http"] + "/readyz") == "ready\n"

    os.kill(ready["pids"]["relay-2"], signal.SIGKILL)
    wait_until(lambda: up.record()["nodes"]["relay-2"]["restarts"] == 1)
    wait_until(lambda: up.record()["nodes"]["relay-2"]["ready"])

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert up.commands() == []
    assert "relay-2  was killed by SIGKILL; starting it again" in said
    assert "killed\n" not in said.partition("stopping")[2]
    log = [json.loads(line) for line in (up.state_dir / "logs/relay-1.log").open()]
    assert [line["event"] for line in log] == ["node_ready", "node_stopping", "node_stopped"]


def require_private_secrets(up: Up, secret: str) -> None:
    for role in ("access", "router"):
        file = up.state_dir / "configs" / f"{role}-1.toml"
        assert file.stat().st_mode & 0o077 == 0
        assert secret in file.read_text()
    assert not any(secret in command for command in up.commands())


@pytest.mark.cluster_long
def test_a_killed_parent_leaves_none_and_its_folder_can_be_used_again(up: Up) -> None:
    first, ready = up.ready()
    secrets = (up.state_dir / "secrets.json").read_text()
    require_private_secrets(up, json.loads(secrets)["token_secret"])
    first.kill()
    wait_until(lambda: up.commands() == [])
    _, again = up.ready()
    assert not set(again["pids"].values()) & set(ready["pids"].values())
    assert (up.state_dir / "secrets.json").read_text() == secrets


@pytest.mark.cluster_long
def test_two_clusters_stand_side_by_side_but_not_on_the_same_ground(up: Up, tmp_path: Path) -> None:
    up.ready()
    same_folder = up.start("--port-base", str(up.port_base + SPAN))
    assert same_folder.wait(PATIENCE_S) == 1
    assert same_folder.stderr is not None
    assert "uses the state folder" in same_folder.stderr.read()
    same_ports = up.start("--state-dir", str(tmp_path / "other"))
    assert same_ports.wait(PATIENCE_S) == 1
    assert same_ports.stderr is not None
    line = same_ports.stderr.read()
    assert f"port {up.port_base} (router-1 http) is in use" in line
    assert "Traceback" not in line
    _, beside = up.ready(
        "--port-base", str(up.port_base + SPAN), "--state-dir", str(tmp_path / "other")
    )
    assert beside["ready"]


@pytest.mark.cluster_long
def test_a_node_that_does_not_start_says_why_in_one_line(up: Up) -> None:
    process = up.start(*SMALL, FAIL="logic-1")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "logic-1 does not start: RuntimeError: no luck today" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert up.commands() == []


@pytest.mark.cluster_long
def test_the_real_roles_know_each_other_when_it_is_ready(real_up: Up) -> None:
    process, ready = real_up.ready("--access", "2", "--relays", "2")
    assert get(ready["demo"]).startswith("<!doctype html>")
    where = ["--port-base", str(real_up.port_base), "--state-dir", str(real_up.state_dir)]
    status = json.loads(CliRunner().invoke(relaymesh, ["status", "--json", *where]).output)
    assert {node["id"] for node in status["nodes"]} <= set(ready["pids"])
    assert (len(status["nodes"]), status["links"]["held"]) == (6, 8)
    assert all(node["up"] and node["restarts"] == 0 for node in status["nodes"])
    assert "relaymesh_" in get(real_up.record()["nodes"]["access-2"]["http"] + "/metrics")
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert real_up.commands() == []


def ask_pools(up: Up, method: str, pool: str, body: bytes = b"") -> tuple[int, Any]:
    """Ask the cluster's webhook as a router does; returns the status and the JSON of the answer."""
    secret = json.loads((up.state_dir / "secrets.json").read_text())["pools_secret"]
    timestamp = str(int(time.time()))
    content = signed_content(method, pool, body)
    headers = {TIMESTAMP: timestamp, SIGNATURE: sign(secret, timestamp, content)}
    url = f"http://127.0.0.1:{up.port_base + POOLS_OFFSET}/pools/{pool}"
    request = urllib.request.Request(url, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.cluster_long
def test_dedicated_nodes_are_started_restarted_and_drained(up: Up) -> None:
    process, ready = up.ready("--most-dedicated", "2")
    assert not any("hot" in name for name in ready["pids"])
    wanted = b'{"room": "show", "nodes": 2}'
    assert ask_pools(up, "PUT", "hot-a", wanted) == (200, {"nodes": 2})
    names = ["access-hot-1", "access-hot-2"]
    wait_until(lambda: all(up.record()["nodes"].get(name, {}).get("ready") for name in names))
    assert get(up.record()["nodes"]["access-hot-2"]["http"] + "/readyz") == "ready\n"
    assert sum("--set=access.pool=hot-a" in command for command in up.commands()) == 2

    status, said = ask_pools(up, "PUT", "hot-b", wanted)
    assert (status, said["error"]["code"]) == (409, "full")
    os.kill(up.record()["nodes"]["access-hot-1"]["pid"], signal.SIGKILL)
    wait_until(lambda: up.record()["nodes"]["access-hot-1"]["restarts"] == 1)
    assert ask_pools(up, "PUT", "hot-a", wanted) == (200, {"nodes": 2})

    assert ask_pools(up, "DELETE", "hot-a") == (204, {})
    wait_until(lambda: not set(names) & set(up.record()["nodes"]))
    assert ask_pools(up, "PUT", "hot-b", wanted) == (200, {"nodes": 2})
    wait_until(lambda: all(up.record()["nodes"].get(name, {}).get("ready") for name in names))
    process.send_signal(signal.SIGINT)
    _, reported = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "access-hot-1  was killed by SIGKILL; starting it again" in reported
    assert up.commands() == []


@pytest.mark.cluster_long
def test_a_dedicated_node_that_does_not_start_harms_nobody(up: Up) -> None:
    process, _ = up.ready(FAIL="access-hot-1")
    assert ask_pools(up, "PUT", "hot-a", b'{"room": "show", "nodes": 1}')[0] == 200
    wait_until(lambda: "access-hot-1" in up.record()["nodes"])
    wait_until(lambda: "access-hot-1" not in up.record()["nodes"])
    process.send_signal(signal.SIGINT)
    _, reported = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "access-hot-1 does not start: RuntimeError: no luck today" in reported
