"""Slow readers on real sockets: thinned by priority, told so, closed at last."""

import json
import random
import socket
import struct
from collections import defaultdict
from typing import Any

import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage

from access.edge.interface import Batch
from backends.rate_limit.interface import Rate
from proto.priorities import Priority
from tests.access.edge.conftest import Stream, socket_of, tcp

URGENT, NORMAL, BULK = Priority
SMALL_SEND_BUFFER = 8192


class Viewer:
    """Reads frames off a socket and keeps what each stream told, in order."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.wsproto = Connection(ConnectionType.CLIENT)
        self.text = ""
        self.heard: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        self.close_code: int | None = None

    async def read_to_the_end(self, most_bytes: int = 1 << 16, pause_s: float = 0) -> None:
        with trio.fail_after(20):
            while self.close_code is None and (data := await self.stream.receive_some(most_bytes)):
                self.take(data)
                if pause_s:
                    await trio.sleep(pause_s)

    async def read_about(self, size: int) -> None:
        """With TLS one read gives a record, which may have come long before."""
        with trio.fail_after(20):
            while size > 0:
                data = await self.stream.receive_some(size)
                self.take(data)
                size -= len(data)

    async def read_until(self, label: str, seq: int) -> None:
        with trio.fail_after(20):
            while not self.heard[label] or self.heard[label][-1][2] < seq:
                self.take(await self.stream.receive_some(1 << 16))

    def take(self, data: bytes) -> None:
        self.wsproto.receive_data(data)
        for event in self.wsproto.events():
            if isinstance(event, TextMessage):
                self.text += event.data
                if event.message_finished:
                    self.note(json.loads(self.text)[0])
                    self.text = ""
            elif isinstance(event, CloseConnection):
                self.close_code = int(event.code)

    def note(self, frame: dict[str, Any]) -> None:
        if frame["push"] == "skipped":
            self.heard[frame["priority"]].append(("skipped", frame["from"], frame["to"]))
        else:
            self.heard[frame["priority"]].append(("got", frame["seq"], frame["seq"]))

    def unbroken(self, label: str) -> bool:
        """Whether each number was got or told as skipped, in order."""
        following = 1
        for _, first, last in self.heard[label]:
            if first != following:
                return False
            following = last + 1
        return True


class Room:
    """Numbers and broadcasts rounds of all priorities."""

    def __init__(self, edge: Any) -> None:
        self.server = edge.server
        self.audience = edge.server.audience()
        self.heads: dict[Priority, int] = defaultdict(int)

    def add(self, connection: Any) -> None:
        socket_of(connection).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_SEND_BUFFER)
        self.audience.add(connection)

    async def send(self, priority: Priority, size: int = 1000) -> None:
        self.heads[priority] = seq = self.heads[priority] + 1
        frame = {"push": "x", "priority": priority.label, "seq": seq, "text": "y" * size}
        done = trio.Event()
        message = json.dumps([frame]).encode()
        self.server.broadcast(self.audience, Batch(message, priority, "r", "e", seq, seq, done.set))
        await done.wait()


async def test_a_slow_reader_loses_bulk_first_is_told_and_gets_urgent_complete(
    run_edge: Any,
) -> None:
    async with run_edge(max_queued_bytes=64 * 1024) as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        slow = Viewer(await edge.upgraded(receive_bytes=4096))
        fast = Viewer(await edge.upgraded())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fast.read_until, "bulk", 400)
            for number in range(400):
                await room.send(BULK)
                if number % 20 == 0:
                    await room.send(URGENT)
                    await room.send(NORMAL)
        connection = edge.recorder.connections[1]
        assert 0 < connection.queued_bytes <= 64 * 1024
        assert edge.server.queued_bytes == connection.queued_bytes
        await slow.read_until("bulk", 400)
        assert [seq for _, seq, _ in slow.heard["urgent"]] == list(range(1, 21))
        assert [seq for _, seq, _ in slow.heard["normal"]] == list(range(1, 21))
        assert slow.unbroken("bulk")
        skipped = [last - first + 1 for what, first, last in slow.heard["bulk"] if what != "got"]
        assert edge.server.counters.thinned == [0, 0, sum(skipped)]
        assert sum(skipped) > 200
        assert [seq for _, seq, _ in fast.heard["bulk"]] == list(range(1, 401))
        await back_on_the_fast_path(edge, room, slow)


async def back_on_the_fast_path(edge: Any, room: Room, viewer: Viewer) -> None:
    stalls = edge.server.counters.stalls
    assert not edge.server.stalled
    await room.send(URGENT)
    await viewer.read_until("urgent", room.heads[URGENT])
    assert edge.server.counters.stalls == stalls


async def test_urgent_arrives_ahead_of_the_bulk_that_waits(run_edge: Any) -> None:
    async with run_edge() as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        slow = Viewer(await edge.upgraded(receive_bytes=4096))
        while edge.recorder.connections[1].queued_bytes < 100_000:
            await room.send(BULK)
        await room.send(URGENT)
        await slow.read_until("urgent", 1)
        read_before = len(slow.heard["bulk"])
        assert room.heads[BULK] - read_before > 60, "it overtook what was queued"


async def test_one_too_slow_even_for_urgent_is_closed_with_4008(
    run_edge: Any, autojump_clock: Any
) -> None:
    async with run_edge(max_queued_bytes=32 * 1024) as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        slow = Viewer(await edge.upgraded(receive_bytes=4096))
        while len(room.audience):
            await room.send(URGENT)
        assert edge.recorder.connections[1].queued_bytes < 8192
        await slow.read_to_the_end()
        assert slow.close_code == 4008
        got = [seq for _, seq, _ in slow.heard["urgent"]]
        assert got == list(range(1, len(got) + 1)), "cut at a frame, never inside"
        await edge.recorder.until(lambda: edge.recorder.closed_codes == {1: 4008})


async def test_one_that_never_reads_again_is_cut_in_bounded_time(
    run_edge: Any, autojump_clock: Any
) -> None:
    async with run_edge(max_queued_bytes=32 * 1024, close_timeout_s=3) as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        stream = await edge.upgraded(receive_bytes=4096)
        while len(room.audience):
            await room.send(URGENT)
        await trio.sleep(3.5)
        assert edge.recorder.closed_codes == {1: 4008}
        await stream.aclose()


async def test_one_that_takes_nothing_is_thinned_and_then_closed_and_a_trickle_is_life(
    run_edge: Any, autojump_clock: Any
) -> None:
    async with run_edge(max_queued_bytes=32 * 1024, stall_s=10, close_timeout_s=3) as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        stuck = await edge.upgraded(receive_bytes=4096)
        slow = Viewer(await edge.upgraded(receive_bytes=4096))
        while sum(edge.server.counters.thinned) < 200:
            await room.send(NORMAL)
        for _ in range(8):
            await trio.sleep(2)
            await slow.read_about(6000)
            await room.send(NORMAL)
        assert edge.recorder.closed_codes == {1: 4008}
        await slow.read_until("normal", room.heads[NORMAL])
        assert slow.unbroken("normal")
        await stuck.aclose()


async def test_pings_without_reading_the_pongs_end_the_connection(run_edge: Any) -> None:
    endless = Rate(1e9, 1 << 30)
    limits = {"pings": endless, "inbound_bytes": endless, "max_queued_bytes": 16 * 1024}
    async with run_edge(**limits, close_timeout_s=0.05) as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        stream = await edge.upgraded(receive_bytes=4096)
        ping = b"\x89\xfd" + bytes(4) + bytes(125)
        try:
            with trio.fail_after(10):
                while not edge.recorder.closed_codes:
                    await stream.send_all(ping * 50)
        except trio.BrokenResourceError:
            await edge.recorder.until(lambda: bool(edge.recorder.closed_codes))
        assert edge.recorder.closed_codes == {1: 4008}


class Crowd:
    """Viewers that come and go: some read nothing before `awake`, some leave, some rudely."""

    def __init__(self, edge: Any, nursery: trio.Nursery) -> None:
        self.rng = random.Random(1)
        self.edge = edge
        self.nursery = nursery
        self.viewers: list[Viewer] = []
        self.awake = trio.Event()

    async def join(self, asleep: bool) -> None:
        viewer = Viewer(await self.edge.upgraded(receive_bytes=4096 if asleep else None))
        self.viewers.append(viewer)
        leave_after = 10_000 if asleep else self.rng.choice([5, 30, 10_000])
        self.nursery.start_soon(self._read, viewer, leave_after, asleep)

    async def _read(self, viewer: Viewer, leave_after: int, asleep: bool) -> None:
        if asleep:
            await self.awake.wait()
        while len(viewer.heard["normal"]) < leave_after and viewer.close_code is None:
            viewer.take(await viewer.stream.receive_some(1 << 16))
        if self.rng.random() < 0.5:
            reset = struct.pack("ii", 1, 0)
            tcp(viewer.stream).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        await viewer.stream.aclose()


async def test_descriptors_are_reused_under_churn_and_no_stream_is_mixed_up(run_edge: Any) -> None:
    async with run_edge(chunk=16, max_queued_bytes=1 << 20) as edge:
        room = Room(edge)
        edge.recorder.on_opened = room.add
        async with trio.open_nursery() as nursery:
            crowd = Crowd(edge, nursery)
            for number in range(60):
                await crowd.join(asleep=number % 10 == 0)
            for number in range(100):
                if number % 3 == 0:
                    await crowd.join(asleep=number % 30 == 0)
                await room.send(NORMAL)
            crowd.awake.set()
            for connection in list(edge.server.clients):
                connection.close(1000, "")
        assert edge.server.counters.stalls > 0
        check_streams(crowd.viewers, room.heads[NORMAL])


def check_streams(viewers: list[Viewer], head: int) -> None:
    for viewer in viewers:
        seqs = [seq for _, seq, _ in viewer.heard["normal"]]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    stayed = [viewer for viewer in viewers if viewer.close_code == 1000]
    assert len(stayed) > 20
    assert all(viewer.heard["normal"][-1][2] == head for viewer in stayed)
