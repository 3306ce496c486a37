"""Nodes of each role that come and go beside a running cluster: nobody is started again for it."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from bench.ports import free_port_base
from tests.cluster.conftest import PATIENCE_S, Cluster, unharmed
from tests.cluster.independent_client import greeted

pytestmark = pytest.mark.cluster_long

DISCOVER = [f"--set={role}.mesh.discover=true" for role in ("access", "router", "logic")]
AFTER_S = 3.0
"""As long as a relay that has come is not yet used, and a little more."""


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path / "state", *(DISCOVER if request.param == "discover" else []))
    running.by_file = request.param == "file"  # type: ignore[attr-defined]
    yield running
    running.stop()


@asynccontextmanager
async def one_more(
    cluster: Cluster, role: str, name: str, **own: str
) -> AsyncIterator["subprocess.Popen[str]"]:
    """A node more, started by hand with the config of its first fellow."""
    tls = "tls" if role == "relay" else "mesh.tls"
    files = cluster.certificate(role, name)._asdict().items()
    certificate = {f"{role}.{tls}.{key}": file for key, file in files}
    sets = {"node.id": name, "node.http": "127.0.0.1:0", **certificate, **own}
    flags = [f"--set={key.replace('__', '.')}={value}" for key, value in sets.items()]
    if role != "relay" and not cluster.by_file:  # type: ignore[attr-defined]
        flags.append(f"--set={role}.mesh.discover=true")
    file = cluster.state_dir / "configs" / f"{role}-1.toml"
    command = [sys.executable, "-P", "-m", "ops", role, "--config", str(file), *flags]
    with (cluster.state_dir / "logs" / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def status(cluster: Cluster) -> dict[str, Any]:
    """Return the nodes of the status, by name."""
    _, body = await cluster.http("GET", "/v1/status")
    return {node["id"]: node for node in json.loads(body)["nodes"]}


async def until(cluster: Cluster, condition: Callable[[dict[str, Any]], bool]) -> None:
    with trio.fail_after(2 * PATIENCE_S):  # processes start, also on a machine with much to do
        while not condition(await status(cluster)):
            await trio.sleep(0.1)


def linked(relays: int) -> Callable[[dict[str, Any]], bool]:
    """Say whether every node has a link to each of so many relays."""

    def all_linked(nodes: dict[str, Any]) -> bool:
        ends = [node for node in nodes.values() if node["role"] != "relay"]
        return all(node["links"] == relays for node in ends) and len(nodes) - len(ends) == relays

    return all_linked


def set_relays(cluster: Cluster, addresses: list[str]) -> None:
    """Write the relays into the config file of each node, as an operator's tool does: whole."""
    for file in (cluster.state_dir / "configs").glob("*.toml"):
        lines = file.read_text().splitlines()
        changed = [
            f"relays = {json.dumps(addresses)}" if line.startswith("relays = ") else line
            for line in lines
        ]
        new = file.with_suffix(".new")
        new.write_text("\n".join(changed) + "\n")
        new.replace(file)


async def drained(cluster: Cluster, name: str, process: "subprocess.Popen[str]") -> None:
    """Drain a node by the command, and require that it ends as one that was told to."""
    where = ["--port-base", str(cluster.port_base), "--state-dir", str(cluster.state_dir)]
    command = [sys.executable, "-m", "ops", "drain", name, "--json", *where]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True)
    assert json.loads(done.stdout)["now"] == ""
    assert await trio.to_thread.run_sync(process.wait) == 0


@pytest.mark.parametrize("cluster", ["file", "discover"], indirect=True)
async def test_relays_come_and_go_and_nobody_is_started_again(cluster: Cluster, room: str) -> None:
    before, address = cluster.record, f"tls+tcp://127.0.0.1:{free_port_base(3)}"
    old = [cluster.lane_url(number, 0) for number in (1, 2)]
    async with unharmed(cluster, room):
        async with one_more(cluster, "relay", "relay-3", relay__listen=address) as process:
            if cluster.by_file:  # type: ignore[attr-defined]
                set_relays(cluster, [*old, address])
            await until(cluster, linked(3))
            await trio.sleep(AFTER_S)
            await drained(cluster, "relay-3", process)
            if cluster.by_file:  # type: ignore[attr-defined]
                set_relays(cluster, old)
        await until(cluster, linked(2))
    assert cluster.record == before


@pytest.mark.parametrize("cluster", ["discover"], indirect=True)
async def test_access_nodes_and_routers_come_and_go_and_nobody_is_started_again(
    cluster: Cluster, room: str
) -> None:
    before = cluster.record
    async with (
        unharmed(cluster, room),
        one_more(cluster, "access", "access-3", access__edge__port="0") as access,
        one_more(cluster, "router", "router-2") as router,
        one_more(cluster, "logic", "logic-2") as logic,
    ):
        await until(cluster, lambda nodes: {"access-3", "router-2", "logic-2"} <= nodes.keys())
        await until(cluster, lambda nodes: nodes["access-3"]["url"] != "")
        url = (await status(cluster))["access-3"]["url"]
        with trio.fail_after(PATIENCE_S):
            while url not in await cluster.urls():
                await trio.sleep(0.1)
        async with greeted(url, cluster.token("newcomer"), room) as viewer:
            await viewer.until(lambda: len(viewer.of("chat", room)) > 20)
        for name, process in (("access-3", access), ("router-2", router), ("logic-2", logic)):
            await drained(cluster, name, process)
        assert url not in await cluster.urls()
    assert cluster.record == before
