"""What stands in for logic and router: `python -m bench.edge.feeder RELAY ROOM [--push-chats]`.

It answers what the access node asks, repeats the room's heads each second as a router does, and
publishes into the room when standard input says so: `publish PER_S SECONDS` (`inf` for ever). It
prints one JSON object when it is ready, and one for each publishing when it is done.
"""

import math
import sys
import time

import click
import msgspec
import structlog
import trio

from backends.links.nng import NngLinks
from bench.edge.stand_in import Said, StandIn
from bench.load.payload import payload, stamp_ns
from bench.load.target import Published
from mesh.interface import Receive
from mesh.node import MeshNode
from mesh.serving import Bounds, Serving
from mesh.settings import MeshSettings
from proto.envelopes import Envelope, Kind, encode
from proto.headers import NodeRole, encode_header
from proto.identity import NodeIdentity
from proto.priorities import Priority
from router.heads import INTERVAL_S

BOUNDS = Bounds(at_work=64, waiting=4096)
LANE = Priority.NORMAL


class Feeder:
    """Publishes into `room` over the relays of `mesh`."""

    def __init__(self, mesh: MeshNode, stand_in: StandIn, room: str) -> None:
        self._mesh = mesh
        self._stand_in = stand_in
        self._room = room
        self._number = 0

    async def publish(self, per_s: float, seconds: float) -> Published:
        """Publish `per_s` messages a second for `seconds`."""
        count = math.inf if math.isinf(seconds) else max(round(per_s * seconds), 1)
        began_ns, done, latest_ns = time.monotonic_ns(), 0, 0
        while done < count:
            due_ns = began_ns + round(done * 1e9 / per_s)
            await _until(due_ns)
            now_ns = time.monotonic_ns()
            await self._say(stamp_ns(due_ns, now_ns))
            latest_ns = max(latest_ns, now_ns - due_ns)
            done += 1
        return Published(done, round(latest_ns / 1e6, 1))

    async def say(self, room: str, priority: Priority, envelope: bytes) -> None:
        """Send an envelope to the relay that carries `room`."""
        await self._mesh.send(self._mesh.carriers(room)[0], priority, envelope)

    async def repeat_heads(self) -> None:
        """Repeat the room's heads each second, for ever."""
        while True:
            header = encode_header(self._stand_in.log(self._room).heads())
            envelope = encode(Kind.HEADS, LANE, self._room.encode(), header)
            for relay in self._mesh.up:
                self._mesh.offer(relay, LANE, envelope)
            await trio.sleep(INTERVAL_S)

    async def _say(self, at_ns: int) -> None:
        text = payload(self._number, at_ns).decode()
        self._number += 1
        await self.say(self._room, LANE, self._stand_in.chat(self._room, text))


async def _until(due_ns: int) -> None:
    left_ns = due_ns - time.monotonic_ns()
    if left_ns > 0:
        await trio.sleep(left_ns / 1e9)
    else:
        await trio.lowlevel.checkpoint()


async def serve(relay: str, room: str, *, push_chats: bool) -> None:
    """Feed until standard input ends."""
    settings = MeshSettings(relays=[relay])
    router = _end("router", settings, _ignore)
    stand_in = StandIn(f"{time.time_ns():x}", _pushing(router) if push_chats else None)
    inbox: list[Serving] = []

    def receive(source: str, envelope: Envelope) -> None:
        if envelope.kind == Kind.REQUEST:
            inbox[0].receive(source, envelope)

    logic = _end("logic", settings, receive)
    inbox.append(Serving(logic, stand_in.serve, BOUNDS))
    feeder = Feeder(router, stand_in, room)
    async with trio.open_nursery() as nursery:
        for run in (router.run, logic.run, inbox[0].run, feeder.repeat_heads):
            nursery.start_soon(run)
        while not (router.up and logic.up):
            await trio.sleep(0.01)
        _say({"epoch": stand_in.epoch})
        async for line in trio.wrap_file(sys.stdin):
            _, per_s, seconds = line.split()
            _say(await feeder.publish(float(per_s), float(seconds)))
        nursery.cancel_scope.cancel()


def _pushing(mesh: MeshNode) -> Said:
    def said(room: str, envelope: bytes) -> None:
        mesh.offer(mesh.carriers(room)[0], LANE, envelope)

    return said


def _end(role: NodeRole, settings: MeshSettings, receive: Receive) -> MeshNode:
    identity = NodeIdentity(node=f"{role}-1", region="local", incarnation=str(time.time_ns()))
    return MeshNode(identity, role, settings, NngLinks(), receive)


def _ignore(source: str, envelope: Envelope) -> None:
    """Nothing is sent to a router here."""


def _say(answer: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


@click.command()
@click.argument("relay")
@click.argument("room")
@click.option("--push-chats", is_flag=True, help="What clients say comes back as pushes.")
def command(relay: str, room: str, push_chats: bool) -> None:
    """Feed one access node."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    trio.run(lambda: serve(relay, room, push_chats=push_chats))


if __name__ == "__main__":
    command()
