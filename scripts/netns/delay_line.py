"""What tc's netem does, for kernels without it: wires that take their time, lose, or are cut.

    delay_line.py STATE_FOLDER

A wire is two TAP devices in two network namespaces (STATE/wires: NAME NS IF NS IF); what comes out
of one is put into the other after a delay. STATE/conduct says how each behaves now (NAME OUT_MS
BACK_MS LOSS_PERCENT up|cut) and is read again on SIGHUP. Says `ready` when all wires carry.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import struct
import sys
import time
from pathlib import Path
from typing import NamedTuple

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000

FRAME_BYTES = 65_536
MOST_FRAMES = 20_000
"""Frames under way; further ones are lost, as in a router with full queues."""

FRAMES_A_TURN = 64
"""Frames taken from one device before the others and those that are due have their turn."""


class End(NamedTuple):
    """What happens to a frame that came out of one device: into which it goes, and how."""

    into: int
    delay_s: float
    loss: float


class Line:
    """All wires: `ends` by the descriptor that a frame comes from."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._wires = _open_wires((state / "wires").read_text())
        self._due: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self.ends: dict[int, End] = {}
        self.read_conduct()

    def read_conduct(self) -> None:
        """Take over how each wire behaves from now on."""
        for line in (self._state / "conduct").read_text().splitlines():
            name, out_ms, back_ms, loss, stands = line.split()
            share = float(loss) / 100 if stands == "up" else 1.0
            near, far = self._wires[name]
            self.ends[near] = End(far, float(out_ms) / 1000, share)
            self.ends[far] = End(near, float(back_ms) / 1000, share)

    def run(self) -> None:
        """Carry frames for ever."""
        descriptors = list(self.ends)
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for descriptor in select.select(descriptors, [], [], wait_s)[0]:
                self._take(descriptor)
            self._put_what_is_due()

    def _take(self, descriptor: int) -> None:
        end = self.ends[descriptor]
        for _ in range(FRAMES_A_TURN):
            try:
                frame = os.read(descriptor, FRAME_BYTES)
            except BlockingIOError:
                return
            if end.loss and random.random() < end.loss:
                continue
            if not end.delay_s:
                _put(end.into, frame)
            elif len(self._due) < MOST_FRAMES:
                self._count += 1
                due_s = time.monotonic() + end.delay_s
                heapq.heappush(self._due, (due_s, self._count, end.into, frame))

    def _put_what_is_due(self) -> None:
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            _, _, into, frame = heapq.heappop(self._due)
            _put(into, frame)


def _put(device: int, frame: bytes) -> None:
    try:
        os.write(device, frame)
    except OSError:
        pass  # the interface is down, or full: a frame is lost, as on any wire


def _open_wires(text: str) -> dict[str, tuple[int, int]]:
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return dict(map(_open_wire, text.splitlines()))
    finally:
        _enter(own)


def _open_wire(line: str) -> tuple[str, tuple[int, int]]:
    name, near, near_interface, far, far_interface = line.split()
    return name, (_open_tap(near, near_interface), _open_tap(far, far_interface))


def _open_tap(namespace: str, interface: str) -> int:
    """Return a descriptor of the TAP device: it belongs to the namespace in which it is opened."""
    _enter(os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC))
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    request = struct.pack("16sH22x", interface.encode(), IFF_TAP | IFF_NO_PI)
    fcntl.ioctl(device, TUNSETIFF, request)
    return device


def _enter(namespace: int) -> None:
    """Go into the network namespace whose descriptor this is, and close it."""
    try:
        # os.setns is only in Python 3.12 and later.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "can't enter a network namespace")
    finally:
        os.close(namespace)


def main() -> None:
    """Carry frames until SIGTERM."""
    line = Line(Path(sys.argv[1]))
    signal.signal(signal.SIGHUP, lambda *_: line.read_conduct())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    line.run()


if __name__ == "__main__":
    main()
