"""What lies between regions on the loopback: every connection from one to another runs through this
process, which delays, loses or holds what they say.

    python -m bench.regions.wan STATE_FOLDER

STATE/forwards has LISTEN_PORT TARGET_PORT REGION REGION a line; STATE/links how each region's link
behaves (REGION DELAY_MS LOSS_PERCENT up|cut) and is read again on SIGHUP. A connection does not
break when its link is cut: it goes on with what was held back when the link is healed, as TCP does.
"""

import math
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

PIECE_BYTES = 65_536
PIECES = 256
"""Pieces of one connection under way; behind them the sender is pushed back."""

PACKET_BYTES = 1448
RETRANSMISSION_S = 0.2
"""What the loss of a packet costs a connection at least, beside the round trip (Linux' least
retransmission time-out): on a connection loss is seen as a pause of all that is behind it."""

Connection = trio.SocketStream


class Forward(NamedTuple):
    """Connections to `listen` go to `target`, over the links of both regions."""

    listen: int
    target: int
    regions: tuple[str, str]


class Links:
    """How each region's link behaves now."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changed = trio.Event()
        self._delay_ms: dict[str, float] = {}
        self._loss: dict[str, float] = {}
        self._cut: set[str] = set()
        self.read()

    def read(self) -> None:
        """Read the file again."""
        lines = [line.split() for line in self._file.read_text().splitlines()]
        self._delay_ms = {region: float(ms) for region, ms, _, _ in lines}
        self._loss = {region: float(percent) / 100 for region, _, percent, _ in lines}
        self._cut = {region for region, *_, stands in lines if stands == "cut"}
        self._changed.set()
        self._changed = trio.Event()

    async def healed(self, regions: tuple[str, str]) -> None:
        """Wait while something between two regions is cut."""
        while self._cut.intersection(regions):
            await self._changed.wait()

    def delay_s(self, regions: tuple[str, str]) -> float:
        """Return the way's length: half a round trip, which is the mean of both regions'."""
        return sum(self._delay_ms[region] for region in regions) / 4000

    def pause_s(self, regions: tuple[str, str], size: int) -> float:
        """Return how long the losses among the packets of `size` bytes hold a connection up."""
        kept = math.prod(1 - self._loss[region] for region in regions)
        packets = range(math.ceil(size / PACKET_BYTES))
        if all(random.random() < kept for _ in packets):
            return 0.0
        return RETRANSMISSION_S + 2 * self.delay_s(regions)


async def forward(near: Connection, which: Forward, links: Links) -> None:
    """Carry one connection until an end closes it."""
    async with near:
        await links.healed(which.regions)
        await trio.sleep(2 * links.delay_s(which.regions))
        try:
            far = await trio.open_tcp_stream("127.0.0.1", which.target)
        except OSError:
            return  # as if nobody listened here
        async with far, trio.open_nursery() as nursery:
            ends = nursery.cancel_scope
            nursery.start_soon(_carry, near, far, which.regions, links, ends)
            nursery.start_soon(_carry, far, near, which.regions, links, ends)


async def _carry(
    source: Connection,
    sink: Connection,
    regions: tuple[str, str],
    links: Links,
    ends: trio.CancelScope,
) -> None:
    send, receive = trio.open_memory_channel[tuple[float, bytes]](PIECES)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_deliver, receive, sink, regions, links)
        async with send:
            async for piece in _pieces(source):
                due_s = trio.current_time() + links.delay_s(regions)
                await send.send((due_s + links.pause_s(regions, len(piece)), piece))
    ends.cancel()


async def _pieces(source: Connection) -> AsyncIterator[bytes]:
    try:
        while piece := await source.receive_some(PIECE_BYTES):
            yield bytes(piece)
    except trio.BrokenResourceError:
        pass


async def _deliver(
    pieces: trio.MemoryReceiveChannel[tuple[float, bytes]],
    sink: Connection,
    regions: tuple[str, str],
    links: Links,
) -> None:
    broken = False
    async for due_s, piece in pieces:
        await trio.sleep_until(due_s)
        await links.healed(regions)
        try:
            if not broken:
                await sink.send_all(piece)
        except trio.BrokenResourceError:
            broken = True  # its end closes the other way too


async def run(state: Path) -> None:
    """Carry connections until stdin is closed; says `ready` when all ports are listened at."""
    links = Links(state / "links")
    async with trio.open_nursery() as nursery:
        for line in (state / "forwards").read_text().splitlines():
            listen, target, *regions = line.split()
            which = Forward(int(listen), int(target), (regions[0], regions[1]))
            await nursery.start(
                partial(
                    trio.serve_tcp,
                    partial(forward, which=which, links=links),
                    which.listen,
                    host="127.0.0.1",
                )
            )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        nursery.start_soon(_end_with_parent, nursery.cancel_scope)
        with trio.open_signal_receiver(signal.SIGHUP) as signals:
            async for _ in signals:
                links.read()


async def _end_with_parent(ends: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stream:
        while await stream.receive_some():
            pass
    ends.cancel()


if __name__ == "__main__":
    trio.run(run, Path(sys.argv[1]))
