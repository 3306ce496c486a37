"""Reports how far devices have acknowledged, that they live, and that they have gone."""

from collections.abc import Callable
from math import ceil

import structlog
import trio

from access.im.counters import ImCounters
from access.im.device import Device
from mesh.interface import Mesh
from proto.errors import RequestError
from proto.im_services import Cursor, CursorsBody
from proto.priorities import Priority
from proto.services import Method, encode

log = structlog.get_logger()

MAX_REPORT = 500
"""Cursors in one report."""
BEAT_S = 20.0
"""Each device is said to live so often."""

Key = tuple[str, str, str]


class CursorReports:
    """Merges what devices acknowledge and sends it upwards; see `access.im.device.Cursors`.

    What waits is one entry a device and stream, so it is bounded by the devices that there are, and
    those that have gone since the last report that was answered.
    """

    def __init__(
        self,
        devices: Callable[[], list[Device]],
        mesh: Mesh,
        counters: ImCounters,
        new_trace: Callable[[], str],
    ) -> None:
        self._devices = devices
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace
        self._waiting: dict[Key, Cursor] = {}
        self._to_beat: list[Device] = []
        self._beat_again_at = float("-inf")
        self._share = 0

    def __len__(self) -> int:
        """How many entries wait."""
        return len(self._waiting)

    def acknowledged(self, device: Device, stream: str, n: int) -> None:
        """See `access.im.device.Cursors`."""
        self._put(Cursor(device.uid, device.name, stream, n))

    def came(self, device: Device) -> None:
        """Note that a device has connected: whatever was to be said of its going is over."""
        self._waiting.pop((device.uid, device.name, ""), None)

    def went(self, device: Device) -> None:
        """Report that a device's connection has ended."""
        self._put(Cursor(device.uid, device.name, gone=True))

    async def run(self, every_s: float) -> None:
        """Report every `every_s` seconds, for ever."""
        while True:
            await trio.sleep(every_s)
            self._beat(every_s)
            await self.report()

    async def report(self) -> None:
        """Send what waits now; what can't be sent waits for the next report."""
        cursors = list(self._waiting.values())
        self._waiting.clear()
        for start in range(0, len(cursors), MAX_REPORT):
            await self._send(cursors[start : start + MAX_REPORT])

    async def _send(self, cursors: list[Cursor]) -> None:
        self._counters.cursor_reports += 1
        try:
            await self._mesh.request(
                Method.CURSORS,
                Priority.NORMAL,
                encode(CursorsBody(cursors)),
                trace=self._new_trace(),
                repeatable=True,
            )
        except RequestError as error:
            self._counters.cursor_errors += 1
            log.info("cursors_failed", cursors=len(cursors), error=str(error))
            for cursor in cursors:
                self._put_back(cursor)

    def _put(self, cursor: Cursor) -> None:
        key = (cursor.uid, cursor.device, cursor.stream)
        known = self._waiting.get(key)
        if known is None or cursor.n >= known.n:
            self._waiting[key] = cursor

    def _put_back(self, cursor: Cursor) -> None:
        # What was said meanwhile is newer.
        self._waiting.setdefault((cursor.uid, cursor.device, cursor.stream), cursor)

    def _beat(self, every_s: float) -> None:
        """Let the next ones say that they live: all of them in `BEAT_S`, spread over it."""
        now = trio.current_time()
        if not self._to_beat and now >= self._beat_again_at:
            self._to_beat = self._devices()
            self._beat_again_at = now + BEAT_S
            self._share = ceil(len(self._to_beat) * every_s / BEAT_S)
        for device in self._to_beat[: self._share]:
            if not device.gone:
                key = (device.uid, device.name, "")
                self._waiting.setdefault(key, Cursor(device.uid, device.name))
        del self._to_beat[: self._share]
