"""The processes of `relaymesh bench links`: all nodes of one tier in each.

Like those of `bench.hop_child` they print one JSON value a line and obey words.
"""

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import trio

from backends.links.nng import NngLinks
from bench.hop_child import obey, say
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from proto.envelopes import Envelope, Kind, encode
from proto.headers import NodeRole, RoomHeader, encode_header
from proto.identity import NodeIdentity
from proto.priorities import Priority
from relay.relay import Relay
from relay.settings import Settings

ROOM = "links"
SET_UP_S = 60.0
"""A machine that can't hold the links would drop some as fast as it makes others."""

SENDS = 40
GAP_S = 0.05
_MB = 1024


class Usage:
    """What the process has used since it began to link."""

    def __init__(self) -> None:
        self._memory = _memory_mb()
        self._began = time.monotonic()
        self._set_up_s = 0.0
        self.links = 0

    def stands(self, links: int) -> None:
        """Take note that all links stand."""
        self._set_up_s = time.monotonic() - self._began
        self.links = links

    def figures(self) -> dict[str, Any]:
        """Return what is told of the process."""
        return {
            "links": self.links,
            "set_up_s": self._set_up_s,
            "memory_mb": _memory_mb() - self._memory,
            "files": len(os.listdir("/dev/fd")),
        }


async def listen(addresses: list[str], name: str) -> None:
    """Relays, or what routers would need to be dialled: one at each address."""
    usage, links = Usage(), NngLinks()
    async with trio.open_nursery() as nursery:
        for number, address in enumerate(addresses, 1):
            relay = Relay(Settings(listen=address), _identity(f"{name}-{number}"), links)
            nursery.start_soon(relay.run)
        await trio.sleep(0)
        say("ready")
        await obey({"cpu": _say_cpu, "figures": lambda: say(usage.figures())})
        nursery.cancel_scope.cancel()


async def dial(addresses: list[str], role: NodeRole, count: int) -> None:
    """Nodes that each dial every address."""
    usage, links, settings = Usage(), NngLinks(), MeshSettings(relays=addresses)
    nodes = [
        MeshNode(_identity(f"{role}-{number + 1}"), role, settings, links, _nothing)
        for number in range(count)
    ]
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.run)
            if role == "access":
                node.want(ROOM)
        with trio.move_on_after(SET_UP_S):
            while any(len(node.up) < len(addresses) for node in nodes):
                await trio.sleep(0.01)
        usage.stands(sum(len(node.up) for node in nodes))
        say("ready")
        send = partial(_send, nodes[0])
        await obey({"cpu": _say_cpu, "figures": lambda: say(usage.figures()), "send": send})
        nursery.cancel_scope.cancel()


async def _send(node: MeshNode) -> None:
    """Send single messages to the room that every access node wants; says how many."""
    header = encode_header(RoomHeader("e1", 1, 0))
    for _ in range(SENDS):
        envelope = encode(Kind.ROOM, Priority.URGENT, ROOM.encode(), header, bytes(200))
        await node.send(node.carriers(ROOM)[0], Priority.URGENT, envelope)
        await trio.sleep(GAP_S)
    say(SENDS)


def _memory_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / _MB
    return 0.0


def _identity(name: str) -> NodeIdentity:
    return NodeIdentity(node=name, region="bench", incarnation=str(time.time_ns()))


def _say_cpu() -> None:
    say(time.process_time())


def _nothing(relay: str, envelope: Envelope) -> None:
    """What comes is dropped."""


def main(tier: str, arguments: dict[str, Any]) -> None:
    """Run one child until its standard input ends."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    tiers: dict[str, Callable[..., Awaitable[None]]] = {"listen": listen, "dial": dial}
    trio.run(partial(tiers[tier], **arguments))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
