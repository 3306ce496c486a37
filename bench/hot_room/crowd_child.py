"""A part of the crowd, in a process of its own: viewers that come, move when told to, and leave.

Takes its orders as JSON on the command line and words as lines: `leave N` lets all but N go, `end`
ends it. Writes a `Report` as a line of JSON several times a second.
"""

import contextlib
import heapq
import os
import resource
import select
import sys
import time
from collections import Counter
from typing import Any

import msgspec

from bench.hot_room.directory import Directory
from bench.hot_room.line import RETRY_S, Line, RefusedError, State
from bench.hot_room.viewer import Viewer
from proto.tokens import Claims, mint

TOKEN_LIFE_S = 3600
REPORT_S = 0.2
ALIVE_S = 15.0
POLL_S = 0.02
DEDICATED = "hot-"
"""In the names of a local cluster's dedicated nodes, and in no other's."""

_FILES_BESIDE = 100


class Orders(msgspec.Struct, frozen=True):
    """Who comes, at which rate, and where the gateways are."""

    gateways: list[str]
    secret: str
    room: str
    name: str
    viewers: int
    come_per_s: float


class Report(msgspec.Struct):
    """What has become of the viewers so far."""

    live: int = 0
    at: dict[str, int] = {}
    """Live viewers by node."""
    moved: int = 0
    moved_back: int = 0
    """Moves to dedicated nodes, and from them."""
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    told: int = 0
    reconnects: dict[int, int] = {}
    """By the second of the system's clock, which all children share."""
    positions: list[dict[str, int]] = []
    """Where the viewers that stayed are, by stream; once, at the end."""
    reasons: dict[str, int] = {}
    """Why connections ended unexpectedly."""


class Crowd:
    """The viewers of one process and what they do next."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._epoll = select.epoll()
        self._by_fd: dict[int, tuple[Viewer, Line]] = {}
        self._due: list[tuple[float, int, Viewer, str, str]] = []
        self._number = 0
        self._viewers = [self._viewer(f"{orders.name}-{n}") for n in range(orders.viewers)]
        asking = self._token(f"{orders.name}-asks")
        self._directory = Directory(orders.gateways, asking, orders.room)
        self._reconnects: Counter[int] = Counter()
        self._words = b""
        self.report = Report()
        self.ended = False
        began = time.monotonic()
        for number, viewer in enumerate(self._viewers):
            self._later(began + number / orders.come_per_s, viewer, "", "")

    def run(self) -> None:
        """Live until `end`."""
        os.set_blocking(sys.stdin.fileno(), False)
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        next_report = next_alive = time.monotonic()
        while not self.ended:
            self._poll()
            now = time.monotonic()
            self._do_what_is_due(now)
            if now >= next_report:
                next_report = now + REPORT_S
                self._tell()
            if now >= next_alive:
                next_alive = now + ALIVE_S
                self._stay_alive()
        self.report.positions = [
            {label: at.seq for label, at in viewer.watch.positions.items()}
            for viewer in self._viewers
            if not viewer.left
        ]
        self._tell()

    def _viewer(self, uid: str) -> Viewer:
        return Viewer(self._token(uid), self._orders.room, self._moved)

    def _token(self, uid: str) -> str:
        claims = Claims(sub=uid, name=uid, exp=int(time.time()) + TOKEN_LIFE_S)
        return mint(claims, self._orders.secret)

    def _moved(self, viewer: Viewer, frame: dict[str, Any]) -> None:
        to_dedicated = any(DEDICATED in each["node"] for each in frame["endpoints"])
        self.report.moved += to_dedicated
        self.report.moved_back += not to_dedicated
        url = frame["endpoints"][0]["url"] if frame["endpoints"] else ""
        self._later(time.monotonic() + frame["delay_ms"] / 1000, viewer, url, frame["resume"])

    def _later(self, at: float, viewer: Viewer, url: str, resume: str) -> None:
        """Have `viewer` connect at a time; what it was to do before no longer counts."""
        self._number += 1
        viewer.due = self._number
        heapq.heappush(self._due, (at, self._number, viewer, url, resume))

    def _do_what_is_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, number, viewer, url, resume = heapq.heappop(self._due)
            if not viewer.left and viewer.due == number:
                self._open(viewer, url, resume)

    def _open(self, viewer: Viewer, url: str, resume: str) -> None:
        self._close(viewer.next)
        try:
            line = viewer.open(url or self._directory.url(), resume)
        except OSError as error:
            self._again(viewer, f"gateway: {error}")
            return
        self._by_fd[line.sock.fileno()] = viewer, line
        self._epoll.register(line.sock.fileno(), select.EPOLLOUT)

    def _poll(self) -> None:
        for fd, _ in self._epoll.poll(POLL_S, 512):
            if fd == sys.stdin.fileno():
                self._hear()
            elif fd in self._by_fd:
                self._serve(fd, *self._by_fd[fd])

    def _serve(self, fd: int, viewer: Viewer, line: Line) -> None:
        try:
            if line.state is State.CONNECTING:
                line.writable()
                self._epoll.modify(fd, select.EPOLLIN)
            else:
                self._read(viewer, line)
        except RefusedError as refused:
            self._failed(viewer, line, f"refused: {refused}", refused.retry_after_s)
        except OSError as error:
            self._failed(viewer, line, str(error), RETRY_S)

    def _read(self, viewer: Viewer, line: Line) -> None:
        frames = line.read()
        if frames is None:
            self._failed(viewer, line, f"closed {line.close_code}", RETRY_S)
            return
        viewer.take(line, frames)
        if line is viewer.next and line.state is State.OPEN:
            self._go_over(viewer)

    def _go_over(self, viewer: Viewer) -> None:
        if viewer.line is not None:
            # What came before the positions are told must be in them.
            viewer.take(viewer.line, viewer.line.read() or [])
        before = viewer.say_hello_by_next()
        self._reconnects[int(time.time())] += viewer.been_there
        self._close(before)

    def _failed(self, viewer: Viewer, line: Line, why: str, again_in_s: float) -> None:
        """Come back by the gateway a while after a connection ended that should not have."""
        self._close(line)
        if line is viewer.next:
            viewer.next = None
        else:
            viewer.line = None
        if viewer.next is None:
            self._again(viewer, why, again_in_s)

    def _again(self, viewer: Viewer, why: str, in_s: float = RETRY_S) -> None:
        self.report.reasons[why] = self.report.reasons.get(why, 0) + 1
        self._later(time.monotonic() + in_s, viewer, "", "")

    def _close(self, line: Line | None) -> None:
        if line is not None and line.sock.fileno() in self._by_fd:
            del self._by_fd[line.sock.fileno()]
            self._epoll.unregister(line.sock.fileno())
            line.sock.close()

    def _leave(self, viewer: Viewer) -> None:
        viewer.left = True
        for line in (viewer.line, viewer.next):
            self._close(line)
        viewer.line = viewer.next = None

    def _hear(self) -> None:
        self._words += os.read(sys.stdin.fileno(), 4096) or b"end\n"
        *lines, self._words = self._words.split(b"\n")
        for line in lines:
            word, _, number = line.decode().partition(" ")
            self.ended = self.ended or word == "end"
            if word == "leave":
                for viewer in self._viewers[int(number) :]:
                    self._leave(viewer)

    def _stay_alive(self) -> None:
        for viewer in self._viewers:
            if viewer.live and viewer.line is not None:
                with contextlib.suppress(OSError):  # its end is read where all is read
                    viewer.line.stay_alive()

    def _tell(self) -> None:
        nodes = [viewer.line.node for viewer in self._viewers if viewer.live and viewer.line]
        watches = [viewer.watch for viewer in self._viewers]
        report = self.report
        report.live, report.at = len(nodes), dict(Counter(nodes))
        report.refused = sum(viewer.refused_resumes for viewer in self._viewers)
        report.lost = sum(watch.lost for watch in watches)
        report.doubled = sum(watch.doubled for watch in watches)
        report.told = sum(watch.told for watch in watches)
        report.reconnects = dict(self._reconnects)
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """Do as the command line says."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    files = orders.viewers + _FILES_BESIDE
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, hard)))
    Crowd(orders).run()


if __name__ == "__main__":
    main()
