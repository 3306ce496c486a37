"""Sends the like merger's reports upwards, one at a time."""

from collections.abc import Callable

import structlog
import trio

from access.counters import AccessCounters
from access.likes import LikeMerger
from access.likes_by_home import LikesByHome
from mesh.interface import Mesh
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import LikesBody, Method, encode

log = structlog.get_logger()

INTERRUPTED = ErrorBody(ErrorCode.UNAVAILABLE, "the node restarts; the likes may count", "", 1000)


class LikeReports:
    """The clock and the mesh beside a `LikeMerger`, whose rooms are at home in region `home`."""

    def __init__(
        self,
        merger: LikeMerger,
        mesh: Mesh,
        counters: AccessCounters,
        new_trace: Callable[[], str],
        *,
        flush_s: float,
        home: str = "",
    ) -> None:
        self._merger = merger
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace
        self._flush_s = flush_s
        self._home = home

    async def run(self) -> None:
        """Report every `flush_s`, or as fast as answers come where they take longer; for ever."""
        while True:
            await trio.sleep(self._flush_s)
            await self.flush()

    async def drain(self, within_s: float) -> None:
        """Wait, at most `within_s`, until everything is reported."""
        with trio.move_on_after(within_s):
            while not self._merger.idle:
                await self.flush()
                await trio.sleep(self._flush_s)

    async def flush(self) -> None:
        """Send one report, if there is something to report, and wait for its answer."""
        body = self._merger.flush()
        if body is None:
            return
        self._counters.like_flushes += 1
        try:
            await self._send(body)
        except RequestError as error:
            self._counters.like_flush_errors += 1
            log.info("like_flush_failed", rooms=len(body.counts), error=str(error))
            self._merger.failed(error.body)
        except trio.Cancelled:
            self._merger.failed(INTERRUPTED)
            raise
        else:
            self._merger.acknowledged()

    async def _send(self, body: LikesBody) -> None:
        await self._mesh.request(
            Method.LIKES,
            Priority.NORMAL,
            encode(body),
            trace=self._new_trace(),
            repeatable=True,
            home=self._home,
        )


class ReportsByHome:
    """The reports of all regions' likes, each at its own pace."""

    def __init__(
        self,
        likes: LikesByHome,
        mesh: Mesh,
        counters: AccessCounters,
        new_trace: Callable[[], str],
        *,
        flush_s: float,
    ) -> None:
        self._reports = [
            LikeReports(merger, mesh, counters, new_trace, flush_s=flush_s, home=home)
            for home, merger in likes.mergers.items()
        ]

    async def run(self) -> None:
        """Report for ever."""
        async with trio.open_nursery() as nursery:
            for reports in self._reports:
                nursery.start_soon(reports.run)

    async def drain(self, within_s: float) -> None:
        """Wait, at most `within_s`, until all likes are reported."""
        async with trio.open_nursery() as nursery:
            for reports in self._reports:
                nursery.start_soon(reports.drain, within_s)
