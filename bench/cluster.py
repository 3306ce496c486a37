"""A cluster of its own for a measurement: the `relaymesh up` that everybody runs, as a child."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import trio

from bench.ports import free_port_base
from proto.receipts import Receipt, mint_receipt
from proto.token_keys import hs256
from proto.tokens import Claims, mint

START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
TOKEN_LIFE_S = 3600

_TICKS = os.sysconf("SC_CLK_TCK")


class ClusterError(Exception):
    """The cluster did not start or stop as it should; the message has its last words."""


@dataclass
class Cluster:
    """A running cluster: where it is, and what its processes have used."""

    process: subprocess.Popen[str]
    state_dir: Path
    port_base: int
    gateway: str
    access: list[str]
    cpu_s_at: dict[str, float] = field(default_factory=dict)

    def token(self, uid: str, *, host: Sequence[str] = (), server: bool = False) -> str:
        """Return a token of this cluster."""
        expires = int(time.time()) + TOKEN_LIFE_S
        role: Literal["viewer", "server"] = "server" if server else "viewer"
        claims = Claims(sub=uid, name=uid, exp=expires, role=role, host=tuple(host))
        return mint(claims, self.secret())

    def receipt(self, uid: str, room: str, gift: str, value: int, count: int = 1) -> str:
        """Return a receipt that `uid` has paid for `count` of `gift`, each worth `value`."""
        return receipt_for(self.secret("receipt_secret"), uid, room, gift, value, count)

    def secret(self, name: str = "token_secret") -> str:
        """Return the secret of its tokens, or another one."""
        return str(json.loads((self.state_dir / "secrets.json").read_text())[name])

    def pids(self) -> dict[str, int]:
        """Return the process ids by node, redis servers included, as they are now."""
        nodes = json.loads((self.state_dir / "cluster.json").read_text())["nodes"]
        return {name: node["pid"] for name, node in nodes.items() if node.get("pid")}

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds used so far, by role (`access`, `relay`, …, `redis`)."""
        used: dict[str, float] = {}
        for name, pid in self.pids().items():
            role = name.split("-")[0]
            used[role] = used.get(role, 0.0) + process_cpu_s(pid)
        return used

    async def status(self) -> dict[str, Any]:
        """Return what `relaymesh status --json` prints."""
        return dict(await self.get_json("/v1/status"))

    async def get_json(
        self, path: str, body: Any = None, token: str = "", gateway: str = ""
    ) -> Any:
        """Ask the gateway, or another one: GET, or POST where there is a `body`."""
        url = (gateway or self.gateway) + path
        return await trio.to_thread.run_sync(_http_json, url, body, token)

    def gateways(self) -> list[str]:
        """Return the URLs of all gateways: each router is one."""
        return self._http("router")

    async def metrics(self, role: str) -> dict[str, float]:
        """Return the sums of the counters and gauges of all nodes of `role`, by name and labels."""
        sums: dict[str, float] = {}
        for url in self._http(role):
            text = await trio.to_thread.run_sync(_http_text, url + "/metrics")
            for name, value in samples(text):
                sums[name] = sums.get(name, 0.0) + value
        return sums

    def _http(self, role: str) -> list[str]:
        nodes = json.loads((self.state_dir / "cluster.json").read_text())["nodes"]
        return [
            node["http"]
            for name, node in nodes.items()
            if name.startswith(role + "-") and node["ready"]
        ]


def receipt_for(secret: str, uid: str, room: str, gift: str, value: int, count: int = 1) -> str:
    """Return a new receipt, signed with `secret` and good for as long as a token."""
    jti, exp = secrets.token_hex(16), int(time.time()) + TOKEN_LIFE_S
    return mint_receipt(Receipt(jti, uid, room, gift, value, exp, count), hs256(secret))


@asynccontextmanager
async def running_cluster(
    *options: str, cores: set[int] | None = None, keep: Path | None = None
) -> AsyncIterator[Cluster]:
    """Run `relaymesh up` with `options` on `cores`; end it, and its folder, afterwards.

    Raises `ClusterError` when it is not ready within a minute.
    """
    with tempfile.TemporaryDirectory(prefix="relaymesh-") as folder:
        state_dir = keep or Path(folder) / "state"
        port_base = free_port_base()
        cluster = await trio.to_thread.run_sync(_start, state_dir, port_base, options, cores)
        try:
            yield cluster
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(_stop, cluster)


def pin_apart() -> tuple[set[int] | None, set[int] | None]:
    """Return the cores for the cluster and those for the load: one each on two cores.

    `None` where cores can't be chosen (other systems than Linux) or there is only one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return None, None
    return {cores[0]}, {cores[1]}


def _start(
    state_dir: Path, port_base: int, options: Sequence[str], cores: set[int] | None
) -> Cluster:
    command = [sys.executable, "-m", "ops", "up", "--json", "--port-base", str(port_base)]
    command += ["--state-dir", str(state_dir), *options]
    with tempfile.TemporaryFile("w+") as errors:
        process = _spawn(command, errors, cores)
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("{"):
            process.kill()
            errors.seek(0)
            raise ClusterError(f"the cluster did not start: {line}{errors.read()[-2000:]}")
    ready = json.loads(line)
    return Cluster(process, state_dir, port_base, ready["gateway"], ready["access"])


def _spawn(
    command: Sequence[str], errors: IO[str], cores: set[int] | None
) -> subprocess.Popen[str]:
    before = os.sched_getaffinity(0) if cores else None
    if cores:
        os.sched_setaffinity(0, cores)  # inherited by the child and all its children
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    finally:
        if before:
            os.sched_setaffinity(0, before)


def _stop(cluster: Cluster) -> None:
    cluster.process.send_signal(signal.SIGTERM)
    try:
        cluster.process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        cluster.process.kill()
        cluster.process.wait()


def process_cpu_s(pid: int) -> float:
    """Return the CPU seconds that process `pid` has used; 0.0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _http_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def _http_json(url: str, body: Any, token: str) -> Any:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def samples(text: str) -> list[tuple[str, float]]:
    """Return the samples of a `/metrics` text, each with its name and labels."""
    lines = [line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#"]
    return [(name, float(value)) for name, _, value in lines]
