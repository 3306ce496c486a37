"""A real access node on a core of its own, with all that it needs on the other.

The node and the relay are the processes that `relaymesh access` and `relaymesh relay` run, the
store is the embedded server, and the feeder stands in for logic and router (`bench.edge.feeder`).
Everything ends with the block, and node and relay also end when this process is killed.
"""

import contextlib
import json
import re
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
import trio

from backends.redis import server as redis_server
from bench import wire
from bench.cluster import pin_apart, samples
from bench.edge.places import Places
from bench.load.child import Child, Cores
from bench.load.script import Script, Step
from bench.load.target import Published
from proto.tokens import Claims, mint

ROOM = "bench"
READY_LIMIT_S = 20.0
TOKEN_LIFE_S = 24 * 3600
UPGRADED = b"\r\n\r\n"
WRITE_PATH = re.compile(r'relaymesh_edge_write_path\{write_path="(\w+)"\}')
JOINED = b'"streams":{'
"""Only the answer to a hello whose join succeeded has it."""


class EdgeTarget:
    """The running node, as a `Target`."""

    name = "relaymesh access"
    keepalive = wire.PONG

    def __init__(
        self, node: Child, feeder: Child, aside: Sequence[Child], places: Places, epoch: str
    ) -> None:
        self.epoch = epoch
        self._node = node
        self._feeder = feeder
        self._aside = aside
        self._places = places
        self.port = places.clients
        self.url = f"ws://127.0.0.1:{self.port}/v1"
        self.token_secret = places.token_secret

    def script(self, number: int) -> Script:
        """See `Target`: upgrade, hello with a token of its own, join."""
        return self._script(number, {"room": ROOM})

    def resuming(self, number: int, seq: int) -> Script:
        """Return the script of a client that comes back and has the messages up to `seq`."""
        since = {"normal": {"epoch": self.epoch, "seq": seq}}
        return self._script(number, {"room": ROOM, "since": since})

    def _script(self, number: int, join: dict[str, Any]) -> Script:
        expires = int(time.time()) + TOKEN_LIFE_S
        token = mint(Claims(sub=f"user-{number}", exp=expires), self.token_secret)
        request = {"op": "hello", "id": 0, "token": token, "join": [join]}
        return [
            Step(wire.upgrade(f"127.0.0.1:{self.port}"), UPGRADED),
            Step(wire.text(msgspec.json.encode(request)), JOINED),
        ]

    def cpu_s(self) -> float:
        """See `Target`."""
        self._node.check()
        return self._node.cpu_s()

    def aside_cpu_s(self) -> float:
        """Return the CPU seconds of what runs on the load's core: relay, store, feeder."""
        return sum(child.cpu_s() for child in self._aside)

    def rss_kb(self) -> float:
        """See `Target`."""
        return self._node.rss_kb()

    def publish(self, per_s: float, seconds: float) -> Published:
        """See `Target`."""
        answer = self._feeder.ask(f"publish {per_s} {seconds}", seconds + READY_LIMIT_S)
        return msgspec.convert(answer, Published)

    def feed(self, per_s: float) -> None:
        """Publish from now on, for ever."""
        self._feeder.say(f"publish {per_s} inf")

    def check(self) -> None:
        """Raise `ClickException` if one of the parts has ended."""
        for child in (self._node, *self._aside):
            child.check()

    def status(self) -> dict[str, Any]:
        """Return what the node says of itself."""
        with urllib.request.urlopen(f"{self._places.http}/statusz", timeout=10) as answer:
            return dict(json.load(answer))

    def metrics(self) -> dict[str, float]:
        """Return the node's metrics, by name and labels."""
        with urllib.request.urlopen(f"{self._places.http}/metrics", timeout=10) as answer:
            return dict(samples(answer.read().decode()))

    def write_path(self) -> str:
        """Return how the node writes to its sockets, as its metrics say."""
        found = filter(None, map(WRITE_PATH.fullmatch, self.metrics()))
        return next((each.group(1) for each in found), "loop")


@contextmanager
def edge_target(*, push_chats: bool = False) -> Iterator[EdgeTarget]:
    """Run the parts; `push_chats`: what clients say in the room comes back as pushes."""
    node_cores, load_cores = pin_apart()
    with tempfile.TemporaryDirectory(prefix="relaymesh-bench-") as folder, ExitStack() as stack:
        places = Places(Path(folder))
        store, url = _store(places, load_cores, stack)
        relay = _role("relay", places.relay_config(), load_cores, stack)
        feeder, epoch = _feeder(places, load_cores, stack, push_chats=push_chats)
        node = _role("access", places.access_config(url), node_cores, stack)
        yield EdgeTarget(node, feeder, (store, relay, feeder), places, epoch)


def _store(places: Places, cores: Cores, stack: ExitStack) -> tuple[Child, str]:
    data = places.folder / "store"
    data.mkdir(mode=0o700)
    where = redis_server.socket_path(data)
    text = redis_server.config_text(data, where, places.store_password)
    config = places.write("store.conf", text)
    try:
        command = (str(redis_server.find_server(None)), str(config))
    except redis_server.NoServerError as error:
        raise click.ClickException(str(error)) from None
    store = redis_server.Redis("store", command, where, places.store_password)
    child = Child("the store", command, cores)
    stack.callback(child.stop)
    trio.run(_until_serving, store, child)
    return child, store.url


async def _until_serving(store: redis_server.Redis, child: Child) -> None:
    try:
        with trio.fail_after(READY_LIMIT_S):
            await redis_server.wait_until_serving(store)
    except trio.TooSlowError:
        child.check()
        raise click.ClickException("the store does not answer") from None


def _feeder(
    places: Places, cores: Cores, stack: ExitStack, *, push_chats: bool
) -> tuple[Child, str]:
    command = [sys.executable, "-m", "bench.edge.feeder", places.relay, ROOM]
    child = Child("the feeder", [*command, *(["--push-chats"] if push_chats else [])], cores)
    stack.callback(child.stop)
    return child, child.hear(READY_LIMIT_S)["epoch"]


def _role(role: str, config: Path, cores: Cores, stack: ExitStack) -> Child:
    """Start a node and wait until it says that it is ready."""
    ours, theirs = socket.socketpair()
    stack.callback(ours.close)
    with theirs:
        fd = theirs.fileno()
        command = [sys.executable, "-m", "ops", role, "--config", str(config)]
        child = Child(f"the {role}", [*command, "--supervisor-fd", str(fd)], cores, [fd])
    stack.callback(child.stop)
    ours.settimeout(READY_LIMIT_S)
    with contextlib.suppress(TimeoutError, OSError):
        if ours.recv(64):
            return child
    child.check()
    raise click.ClickException(f"the {role} does not become ready")
