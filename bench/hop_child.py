"""The processes of `relaymesh bench hop`: `python -m bench.hop_child ROLE ARGUMENTS-AS-JSON`.

A child prints one JSON value a line and obeys words on its standard input: `cpu` prints the
processor seconds that it has used, `go` starts a sender, and the end of input stops it.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
import trio

from backends.links.interface import Happened
from backends.links.node_links import NodeLinks
from backends.tls.settings import TlsSettings
from bench.certificates import TlsTable
from mesh.interface import Receive
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import BATCH_START, Envelope, Kind, encode
from proto.headers import NodeRole, RoomHeader, encode_header
from proto.identity import NodeIdentity
from proto.priorities import Priority
from relay.service import run as run_relay
from relay.settings import Settings

ROOM = "hop"
RELAY = "relay-1"
LANE = Priority.NORMAL
BATCH = 100
FLOOD, PROBE = b"F", b"P"
DIRECT_HEADER = 9


def main(role: str, arguments: dict[str, Any]) -> None:
    """Run one child until its standard input ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    trio.run(partial(ROLES[role], **arguments))


async def relay(listen: str, tls: TlsTable) -> None:
    """A relay as `relaymesh relay` runs it."""
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        settings = Settings(listen=listen, tls=TlsSettings(**tls))
        run = partial(run_relay, settings, _identity(RELAY), stopping=stopping)
        service = await nursery.start(run)
        say("ready")
        await obey({"cpu": _say_cpu, "status": lambda: say(service.status())})
        stopping.set()


class Receiver:
    """Counts a flood, and takes the times of probes that come relayed or directly."""

    def __init__(self) -> None:
        self.flooded = 0
        self.first_at = self.last_at = 0.0
        self.relayed_us: list[float] = []
        self.direct_us: list[float] = []

    def receive(self, _: str, envelope: Envelope) -> None:
        """Take what the mesh brings."""
        if envelope.kind != Kind.ROOM:
            return
        body = envelope.body
        if body[:1] == PROBE:
            self.relayed_us.append(_age_us(body))
            return
        self.flooded += 1
        self.last_at = time.monotonic()
        if self.flooded == 1:
            self.first_at = self.last_at

    async def receive_directly(self, listen: str, tls: TlsTable) -> None:
        """Take what comes by a link without a relay."""
        end = NodeLinks(TlsSettings(**tls), "relay", RELAY).listen(listen)
        try:
            while True:
                for event in end.poll(16):
                    if isinstance(event.what, bytes):
                        self.direct_us.append(_age_us(event.what[len(BATCH_START) :]))
                        event.link.consumed()
                await end.wait()
        finally:
            end.close()

    def figures(self) -> dict[str, Any]:
        """Return what was counted."""
        return {
            "flooded": self.flooded,
            "seconds": self.last_at - self.first_at,
            "relayed_us": self.relayed_us,
            "direct_us": self.direct_us,
        }


async def receiver(
    name: str, listen: str, direct: str, tls: TlsTable, direct_tls: TlsTable
) -> None:
    """An access node that wants the room."""
    counts = Receiver()
    mesh = _mesh(name, "access", listen, tls, counts.receive)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mesh.run)
        if direct:
            nursery.start_soon(counts.receive_directly, direct, direct_tls)
        mesh.want(ROOM)
        await mesh.confirmed(ROOM)
        say("ready")
        await obey({"cpu": _say_cpu, "figures": lambda: say(counts.figures())})
        nursery.cancel_scope.cancel()


async def sender(
    listen: str,
    direct: str,
    tls: TlsTable,
    size: int,
    seconds: float,
    probes: int,
    gap_s: float,
) -> None:
    """A measuring node that floods the room, and later probes it and the direct link by turns."""
    mesh = _mesh("probe-1", "probe", listen, tls, _nothing)

    async def flood() -> None:
        say(await _flood(mesh, size, seconds))

    async def probe() -> None:
        end = await NodeLinks(TlsSettings(**tls), "probe", "probe-1").dial(direct)
        for _ in range(probes):
            await mesh.send(RELAY, Priority.URGENT, _envelope(Priority.URGENT, _stamp(size)))
            await trio.sleep(gap_s)
            end.link.send(BATCH_START + _stamp(size))
            await trio.sleep(gap_s)
            if any(event.what is Happened.GONE for event in end.poll(16)):
                raise RuntimeError("the direct link is gone")
        end.close()
        say("probed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mesh.run)
        while not mesh.up:
            await trio.sleep(0.01)
        say("ready")
        await obey({"cpu": _say_cpu, "flood": flood, "probe": probe})
        nursery.cancel_scope.cancel()


async def _flood(mesh: MeshNode, size: int, seconds: float) -> int:
    """Send as fast as the relay takes it, a batch at a time; returns how many messages."""
    sent, end = 0, time.monotonic() + seconds
    padding = FLOOD + b"." * (size - 1)
    header = encode_header(RoomHeader("e1", 1, 0))
    room = ROOM.encode()
    while time.monotonic() < end:
        for _ in range(BATCH):
            await mesh.send(RELAY, LANE, encode(Kind.ROOM, LANE, room, header, padding))
        sent += BATCH
        await trio.lowlevel.checkpoint()
    await mesh.drained()
    return sent


def _envelope(priority: Priority, body: bytes) -> bytes:
    return encode(Kind.ROOM, priority, ROOM.encode(), encode_header(RoomHeader("e1", 1, 0)), body)


def _stamp(size: int) -> bytes:
    return (PROBE + time.monotonic_ns().to_bytes(8, "big")).ljust(size, b".")


def _age_us(body: bytes) -> float:
    return (time.monotonic_ns() - int.from_bytes(body[1:DIRECT_HEADER], "big")) / 1000


def _identity(name: str) -> NodeIdentity:
    return NodeIdentity(node=name, region="bench", incarnation=str(time.time_ns()))


def _mesh(name: str, role: NodeRole, listen: str, tls: TlsTable, receive: Receive) -> MeshNode:
    settings = MeshSettings(relays=[listen], tls=TlsSettings(**tls))
    return MeshNode(_identity(name), role, settings, NodeLinks(settings.tls, role, name), receive)


def _nothing(relay: str, envelope: Envelope) -> None:
    """A sender receives nothing."""


def _say_cpu() -> None:
    say(time.process_time())


def say(value: Any) -> None:
    """Print `value` for the parent."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def obey(words: dict[str, Any]) -> None:
    """Do what standard input says, until it ends."""
    while word := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        done = words[word.strip()]()
        if done is not None:
            await done


ROLES: dict[str, Callable[..., Awaitable[None]]] = {
    "relay": relay,
    "receiver": receiver,
    "sender": sender,
}

if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
