"""One access node of several processes: clients see one URL, and each process dies alone."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from bench.ports import free_port_base
from tests.cluster.conftest import PATIENCE_S, Cluster
from tests.cluster.independent_client import Connection, connected

pytestmark = pytest.mark.cluster_long

WORKERS = 3
CLIENTS = 36


class Group:
    """`relaymesh access` with workers, beside a cluster whose relays and store it uses."""

    def __init__(self, cluster: Cluster, folder: Path, **more: str) -> None:
        self._cluster = cluster
        self.port = free_port_base(WORKERS + 2)
        self.http = f"http://127.0.0.1:{self.port + 1}"
        self.url = f"ws://127.0.0.1:{self.port}/v1"
        config = (cluster.state_dir / "configs" / "access-1.toml").read_text()
        # Here, not as a flag: flags stay as they are while the node runs.
        config = config.replace("[access.edge]\n", "[access.edge]\nmax_connections = 900\n")
        self.file = folder / "group.toml"
        self.file.write_text(config)
        files = cluster.certificate("access", "group")._asdict().items()
        told = {
            **{f"access.mesh.tls.{key}": file for key, file in files},
            "node.id": "group",
            "node.http": self.http.removeprefix("http://"),
            "access.edge.port": self.port,
            "access.workers": WORKERS,
            "access.edge.allowed_origins": "*",
            **{f"access.edge.{key}": value for key, value in more.items()},
        }
        flags = [f"--set={key}={value}" for key, value in told.items()]
        self.log = (folder / "log").open("w+b")
        command = [sys.executable, "-P", "-m", "ops", "access", "--config", str(self.file), *flags]
        self.process = subprocess.Popen(command, stderr=self.log)

    async def workers(self) -> list[dict[str, Any]]:
        """What the group says of its workers; nothing while it does not answer."""
        with contextlib.suppress(OSError):
            status, body = await self._cluster.http("GET", f"{self.http}/statusz")
            if status == 200:
                return list(json.loads(body)["workers"])
        return []

    async def until_ready(self) -> dict[str, int]:
        """Wait until all workers are; returns the process of each."""
        with trio.fail_after(PATIENCE_S):
            while True:
                found = await self.workers()
                if found and all(each["ready"] for each in found):
                    break
                assert self.process.poll() is None, Path(str(self.log.name)).read_text()
                await trio.sleep(0.05)
        return {each["node"]: each["pid"] for each in found}

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextmanager
def running(cluster: Cluster, folder: Path, **more: str) -> Iterator[Group]:
    group = Group(cluster, folder, **more)
    try:
        yield group
    finally:
        group.end()


@asynccontextmanager
async def crowd(
    cluster: Cluster, url: str, room: str
) -> AsyncIterator[dict[str, list[Connection]]]:
    """Clients in `room`, by the worker that took each."""
    async with AsyncExitStack() as stack:
        found: dict[str, list[Connection]] = {}
        for number in range(CLIENTS):
            client = await stack.enter_async_context(connected(url))
            token = cluster.token(f"{room}-{number}")
            ok = await client.request("hello", token=token, join=[{"room": room}])
            found.setdefault(ok["node"], []).append(client)
        yield found


async def say(cluster: Cluster, room: str, text: str) -> None:
    status, _ = await cluster.publish(f"/v1/rooms/{room}/publish", {"data": {"text": text}})
    assert status == 200


def heard(client: Connection) -> list[str]:
    return [push["data"]["text"] for push in client.pushes if push["push"] in ("notice", "direct")]


async def until_heard(clients: list[Connection], texts: list[str]) -> None:
    with trio.fail_after(PATIENCE_S):
        while any(heard(client) != texts for client in clients):
            await trio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_worker_that_dies_is_replaced_and_only_its_clients_notice(
    cluster: Cluster, room: str, tmp_path: Path
) -> None:
    with running(cluster, tmp_path) as group:
        before = await group.until_ready()
        assert set(before) == {f"group-w{n}" for n in range(1, WORKERS + 1)}
        async with crowd(cluster, group.url, room) as by_worker:
            assert set(by_worker) == set(before), "the kernel spreads clients over all"
            await say(cluster, room, "one")
            await until_heard([each for some in by_worker.values() for each in some], ["one"])

            os.kill(before["group-w2"], signal.SIGKILL)
            for client in by_worker["group-w2"]:
                with trio.fail_after(PATIENCE_S):
                    await client.closed.wait()
            await say(cluster, room, "two")
            others = by_worker["group-w1"] + by_worker["group-w3"]
            await until_heard(others, ["one", "two"])
            assert not any(client.closed.is_set() for client in others)

            with trio.fail_after(PATIENCE_S):
                while (after := await group.until_ready())["group-w2"] == before["group-w2"]:
                    await trio.sleep(0.05)
            assert {name: after[name] for name in ("group-w1", "group-w3")} == {
                name: before[name] for name in ("group-w1", "group-w3")
            }
            async with crowd(cluster, group.url, room) as again:
                assert "group-w2" in again
                await say(cluster, room, "three")
                await until_heard([each for some in again.values() for each in some], ["three"])
            await until_heard(others, ["one", "two", "three"])


async def test_the_gateway_names_the_group_once_and_users_are_reached_by_their_worker(
    cluster: Cluster, room: str, tmp_path: Path
) -> None:
    with running(cluster, tmp_path) as group:
        await group.until_ready()
        with trio.fail_after(PATIENCE_S):
            while group.url not in (urls := await cluster.urls()):
                await trio.sleep(0.1)
        assert urls.count(group.url) == 1
        async with crowd(cluster, group.url, room) as by_worker:
            for number in range(CLIENTS):
                path, body = f"/v1/users/{room}-{number}/publish", {"data": {"text": "you"}}
                assert (await cluster.publish(path, body))[0] == 200
            await until_heard([each for some in by_worker.values() for each in some], ["you"])
            _, text = await cluster.http("GET", "/v1/status")
            nodes = {node["id"]: node for node in json.loads(text)["nodes"]}
            limits = [nodes[f"group-w{n}"]["status"]["max_connections"] for n in (1, 2, 3)]
            assert limits == [300, 300, 300]


async def test_sigterm_drains_all_workers(cluster: Cluster, room: str, tmp_path: Path) -> None:
    with running(cluster, tmp_path) as group:
        pids = await group.until_ready()
        async with crowd(cluster, group.url, room) as by_worker:
            group.process.terminate()
            for client in (each for some in by_worker.values() for each in some):
                with trio.fail_after(PATIENCE_S):
                    await client.closed.wait()
                assert client.code == 4010  # There are other nodes: it was told to move.
        with trio.fail_after(PATIENCE_S):
            assert await trio.to_thread.run_sync(group.process.wait) == 0
        assert not any(map(alive, pids.values()))


def certificate_at(port: int) -> bytes | None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain) as secure,
    ):
        return secure.getpeercert(binary_form=True)


async def test_a_hangup_of_the_parent_renews_the_certificate_of_all_workers(
    cluster: Cluster, tmp_path: Path
) -> None:
    authority, cert, key = trustme.CA(), tmp_path / "cert.pem", tmp_path / "key.pem"

    def issue() -> None:
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(cert)

    issue()
    with running(cluster, tmp_path, tls_cert=str(cert), tls_key=str(key)) as group:
        pids = await group.until_ready()
        before = {certificate_at(group.port) for _ in range(CLIENTS)}
        assert len(before) == 1
        issue()
        group.process.send_signal(signal.SIGHUP)
        with trio.fail_after(PATIENCE_S):
            while before & (after := {certificate_at(group.port) for _ in range(CLIENTS)}):
                await trio.sleep(0.05)
        assert len(after) == 1
        assert await group.until_ready() == pids


async def test_a_hangup_of_the_parent_reaches_all_workers_and_each_takes_its_part(
    cluster: Cluster, tmp_path: Path
) -> None:
    with running(cluster, tmp_path) as group:
        pids = await group.until_ready()
        told = group.file.read_text().replace("max_connections = 900", "max_connections = 1000")
        group.file.write_text(f"{told}\n[access]\npool = 'p1'\n")
        group.process.send_signal(signal.SIGHUP)
        limits: dict[str, int] = {}
        with trio.fail_after(PATIENCE_S):
            while sorted(limits.values()) != [333, 333, 334]:
                for worker in await group.workers():
                    _, body = await cluster.http("GET", f"{worker['http']}/statusz")
                    shown = json.loads(body)
                    limits[worker["node"]] = shown["max_connections"]
        assert shown["config"]["restart_needed"] == ["access.pool"]
        _, body = await cluster.http("GET", f"{group.http}/statusz")
        assert json.loads(body)["config"]["restart_needed"] == ["access.pool"]
        assert await group.until_ready() == pids


async def test_a_killed_parent_leaves_nothing_behind(cluster: Cluster, tmp_path: Path) -> None:
    with running(cluster, tmp_path) as group:
        pids = await group.until_ready()
        status, metrics = await cluster.http("GET", f"{group.http}/metrics")
        assert status == 200
        assert b'relaymesh_worker_ready{worker="group-w3"} 1.0' in metrics
        assert (await cluster.http("GET", f"{group.http}/readyz"))[0] == 200
        group.process.kill()
        with trio.fail_after(PATIENCE_S):
            while any(map(alive, pids.values())):
                await trio.sleep(0.02)
