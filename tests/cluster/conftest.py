"""A real cluster, started once as a user starts it, and somebody in a room who must never notice
what is done to it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import jwt
import pynng
import pytest
import redis
import trio

from backends.tls.files import Files
from bench.ports import free_port_base
from ops.certs.folder import Folder
from tests.cluster.independent_client import Connection, Frame, greeted

PATIENCE_S = 30.0
CHAT_EVERY_S = 0.05
CLUSTERS = {"cluster", "hasty"}
"""The fixtures with a cluster, which takes seconds to start, and some of the CPU while it runs."""
_rooms = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests of a cluster in front: the first worker does them all, with one cluster."""
    items.sort(key=lambda item: not CLUSTERS.intersection(getattr(item, "fixturenames", ())))


class Cluster:
    """`relaymesh up` with its own ports and folder, and what the tests ask of it."""

    def __init__(self, state_dir: Path, *options: str) -> None:
        self.state_dir = state_dir
        self.port_base = free_port_base()
        where = ["--port-base", str(self.port_base), "--state-dir", str(state_dir)]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "ops",
                "up",
                "--json",
                *where,
                *self._settings(),
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        ready = json.loads(line)
        self.gateway: str = ready["gateway"]
        self.access: list[str] = ready["access"]

    def _settings(self) -> list[str]:
        """Allow the pages of the cluster's own gateway alone; let empty rooms go soon."""
        pages = f"http://127.0.0.1:{self.port_base}"
        return [
            *("--set", f'access.edge.allowed_origins=["{pages}"]'),
            *("--set", "access.room.linger_s=0.5"),
        ]

    @property
    def record(self) -> dict[str, Any]:
        """What the state folder says of the nodes."""
        nodes: dict[str, Any] = json.loads((self.state_dir / "cluster.json").read_text())["nodes"]
        return nodes

    @property
    def secrets(self) -> dict[str, str]:
        """The passwords and the token secret."""
        secrets: dict[str, str] = json.loads((self.state_dir / "secrets.json").read_text())
        return secrets

    def token(self, uid: str, secret: str = "", **claims: Any) -> str:
        """Return a token as the document describes it, made without our code."""
        full = {"sub": uid, "aud": "relaymesh", "exp": int(time.time()) + 600} | claims
        present = {name: value for name, value in full.items() if value is not None}
        return jwt.encode(present, secret or self.secrets["token_secret"], algorithm="HS256")

    def paid(self, uid: str, room: str, **gift: Any) -> dict[str, Any]:
        """Return the fields of a gift that `uid` has paid for, with its receipt, made without our
        code too."""
        claims = {"sub": uid, "room": room, "count": 1} | gift
        claims |= {"aud": "relaymesh-gift", "jti": f"o-{next(_rooms)}", "exp": time.time() + 60}
        claims["exp"] = int(claims["exp"])
        receipt = jwt.encode(claims, self.secrets["receipt_secret"], algorithm="HS256")
        return {"room": room, "receipt": receipt} | gift

    def lane_url(self, relay: int, lane: int) -> str:
        """Return the address of a relay's lane (docs/operations.md)."""
        return f"tls+tcp://127.0.0.1:{self.port_base + 30 + 3 * (relay - 1) + lane}"

    def certificate(self, role: str, node: str = "*", days: float = 1.0) -> Files:
        """Return a certificate for one more node, issued by the cluster's authority."""
        return Folder(self.state_dir / "certs").issue(role, node, days)

    def dialed(
        self, lane: int, role: str = "access", node: str = "mallory"
    ) -> AbstractContextManager[pynng.Pair1]:
        """Return a plain nng socket at a lane of the first relay, with a certificate."""
        return dialed(self.lane_url(1, lane), self.certificate(role, node))

    def server(self, name: str) -> "redis.Redis":
        """Return a client of the embedded server `store` or `bus`."""
        path = max((self.state_dir / f"redis-{name}").rglob("*.sock"), default=None)
        assert path is not None
        return redis.Redis(unix_socket_path=str(path), password=self.secrets[f"{name}_password"])

    async def metric(self, role: str, name: str, **labels: str) -> float:
        """Return a metric, added up over the nodes of `role` and the labels not named."""
        addresses = [each["http"] for each in self.record.values() if each["role"] == role]
        texts = [(await self.http("GET", f"{address}/metrics"))[1] for address in addresses]
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for text in texts
            for line in text.decode().splitlines()
            if line.partition("{")[0].partition(" ")[0] == name
            and all(label in line for label in wanted)
        )

    async def http(
        self, method: str, url: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Send a request; returns status and body. A URL may be a path at the gateway."""
        full = url if "://" in url else self.gateway + url
        request = urllib.request.Request(full, body, headers, method=method)

        def ask() -> tuple[int, bytes]:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()

        return await trio.to_thread.run_sync(ask)

    async def publish(self, path: str, body: Any, **claims: Any) -> tuple[int, Any]:
        """POST as a back end, `claims` changing the token's; returns status and JSON."""
        token = self.token("backend", **({"role": "server"} | claims))
        status, answer = await self.http(
            "POST", path, json.dumps(body).encode(), Authorization=f"Bearer {token}"
        )
        return status, json.loads(answer)

    async def urls(self) -> list[str]:
        """Ask the gateway where to connect, as clients do; raises `OSError` when it is away."""
        token = self.token("whoever")
        status, answer = await self.http(
            "GET", "/v1/connect?room=lobby", Authorization=f"Bearer {token}"
        )
        if status != 200:
            raise ConnectionError(f"the gateway answers {status}")
        return [each["url"] for each in json.loads(answer)["endpoints"]]

    def kill(self, node: str) -> None:
        """End a process with SIGKILL."""
        os.kill(self.record[node]["pid"], signal.SIGKILL)

    @contextmanager
    def without_restarts(self) -> Iterator[None]:
        """Keep dead what is killed inside: a node that starts again ends its former lease."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End everything, and make sure of it."""
        self._process.terminate()
        self._process.terminate()  # the second time: at once
        try:
            self._process.communicate(timeout=PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()


@contextmanager
def dialed(url: str, files: Files) -> Iterator[pynng.Pair1]:
    """A plain nng socket at `url`, which shows the certificate in `files`."""
    ca, cert, key = (Path(file).read_text() for file in files)
    tls = pynng.TLSConfig(
        pynng.TLSConfig.MODE_CLIENT,
        server_name="relay",
        ca_string=ca,
        own_cert_string=cert,
        own_key_string=key,
        auth_mode=pynng.TLSConfig.AUTH_MODE_REQUIRED,
    )
    options = {"recv_timeout": 5000, "reconnect_time_min": 60_000, "tls_config": tls}
    with pynng.Pair1(polyamorous=False, **options) as socket:
        socket.dial(url, block=True)
        yield socket


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster for all tests of this folder."""
    running = Cluster(tmp_path_factory.mktemp("cluster") / "state")
    yield running
    running.stop()


HASTY = {
    "access.im.first_resend_s": 0.3,
    "access.im.min_resend_s": 0.3,
    "access.im.max_resend_s": 0.6,
    "access.im.max_resends": 3,
    "logic.database.timeout_s": 1.0,
    "logic.im.recall_s": 1.0,
    "logic.mailbox.hot.look_s": 0.3,
    "logic.mailbox.sync_threshold": 20,
}
"""Settings with which what takes minutes, or thousands of messages, takes seconds."""


@pytest.fixture(scope="package")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster with short times and small limits, its database on a small disk."""
    folder = tmp_path_factory.mktemp("hasty")
    sets = [part for key, value in HASTY.items() for part in ("--set", f"{key}={value}")]
    with small_disk(folder / "disk"):
        url = f"sqlite:///{folder}/disk/relaymesh.db"
        running = Cluster(folder / "state", "--database-url", url, *sets)
        yield running
        running.stop()


@pytest.fixture
def disk(hasty: Cluster) -> Path:
    """Return the folder with the database of `hasty`."""
    return hasty.state_dir.parent / "disk"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of some megabytes on a folder, where that is allowed."""
    folder.mkdir(parents=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.call(mount, stderr=subprocess.DEVNULL) == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def room() -> str:
    """Return the name of a room that no other test uses."""
    return f"room-{next(_rooms)}"


class Talker:
    """Says 0, 1, 2 … one after the other, until it is to be quiet, and then `over`."""

    def __init__(self, say: Callable[[str], Awaitable[Frame]]) -> None:
        self._say = say
        self._said = 0
        self._quiet = trio.CancelScope()
        self._silent = trio.Event()

    async def talk(self) -> None:
        """Speak until `end`."""
        with self._quiet:
            while True:
                with trio.CancelScope(shield=True):
                    await self._say(str(self._said))
                    self._said += 1
                await trio.sleep(CHAT_EVERY_S)
        self._silent.set()

    async def end(self) -> Frame:
        """Say `over` behind all the rest, and return the answer to it."""
        self._quiet.cancel()
        # Two requests under way at once may be numbered in any order.
        await self._silent.wait()
        return await self._say("over")

    @property
    def texts(self) -> list[str]:
        """All that was said, once it has ended."""
        return [*map(str, range(self._said)), "over"]


class Bystander:
    """Two people in one room, on two nodes; one speaks all the time, the other must hear it all."""

    def __init__(self, speaker: Connection, hearer: Connection, room: str) -> None:
        self.room = room
        self._hearer = hearer
        self._talker = Talker(lambda text: speaker.request("chat", room=room, text=text))
        self.talk = self._talker.talk

    async def require_unharmed(self) -> None:
        """Require that everything said has been heard, once, in order, without a `skipped`."""
        await self._talker.end()
        mine = "by-speaker"
        await self._hearer.until(lambda: any(p.get("text") == "over" for p in self._hearer.pushes))
        heard = [p for p in self._hearer.of("chat", self.room) if p["uid"] == mine]
        assert [p["text"] for p in heard] == self._talker.texts
        numbers = [p["seq"] for p in self._hearer.pushes if p.get("priority") == "normal"]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not self._hearer.of("skipped") + self._hearer.of("reset")


@pytest.fixture
async def bystander(cluster: Cluster, room: str) -> AsyncIterator[Bystander]:
    """People in the test's own room, whom nothing that the test does may harm."""
    async with unharmed(cluster, room) as bystander:
        yield bystander


@asynccontextmanager
async def unharmed(cluster: Cluster, room: str) -> AsyncIterator[Bystander]:
    """Have people talk in `room`, and require in the end that all was heard."""
    async with (
        greeted(cluster.access[0], cluster.token("by-speaker"), room) as speaker,
        greeted(cluster.access[1], cluster.token("by-hearer"), room) as hearer,
        trio.open_nursery() as nursery,
    ):
        bystander = Bystander(speaker, hearer, room)
        nursery.start_soon(bystander.talk)
        yield bystander
        await bystander.require_unharmed()


class Counted:
    """Metrics before and after: `await counted.more(…)` waits until one has grown."""

    def __init__(self, cluster: Cluster, role: str, name: str, labels: dict[str, str]) -> None:
        self._read: Callable[[], Awaitable[float]] = lambda: cluster.metric(role, name, **labels)
        self._name = f"{name}{labels}"
        self._before = 0.0

    async def begin(self) -> None:
        """Note the value now."""
        self._before = await self._read()

    async def require(self, by: float) -> None:
        """Wait until it has grown by `by`; more is wrong."""
        now = self._before
        with trio.move_on_after(PATIENCE_S / 3):
            while (now := await self._read()) < self._before + by:
                await trio.sleep(0.05)
        assert now == self._before + by, f"{self._name} went from {self._before} to {now}"


@asynccontextmanager
async def counts(
    cluster: Cluster, role: str, name: str, by: float = 1, **labels: str
) -> AsyncIterator[None]:
    """Require that what is done inside makes a metric grow by `by`."""
    counted = Counted(cluster, role, name, labels)
    await counted.begin()
    yield
    await counted.require(by)
