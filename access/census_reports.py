"""Sends the census upwards each second."""

from collections.abc import Callable

import structlog
import trio

from access.census import Census
from access.counters import AccessCounters
from access.rooms import Rooms
from mesh.interface import Mesh
from proto.errors import RequestError
from proto.priorities import Priority
from proto.regions import ONE_REGION, Regions
from proto.services import CensusBody, Method, RoomCensus, encode

log = structlog.get_logger()


class CensusReports:
    """The clock and the mesh beside a `Census`."""

    def __init__(
        self,
        census: Census,
        rooms: Rooms,
        mesh: Mesh,
        counters: AccessCounters,
        new_trace: Callable[[], str],
        regions: Regions = ONE_REGION,
    ) -> None:
        self._census = census
        self._rooms = rooms
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace
        self._regions = regions

    async def run(self, every_s: float) -> None:
        """Report every `every_s` seconds, for ever."""
        while True:
            await trio.sleep(every_s)
            await self.report()

    async def report(self) -> None:
        """Report what has changed; a report that fails is repeated with the next."""
        for report in self._census.reports(self._rooms.names(), self._facts):
            for home, rooms in self._by_home(report).items():
                await self._send(home, rooms)

    def _by_home(self, report: list[RoomCensus]) -> dict[str, list[RoomCensus]]:
        by_home: dict[str, list[RoomCensus]] = {}
        for room in report:
            by_home.setdefault(self._regions.home_of_room(room.room), []).append(room)
        return by_home

    async def _send(self, home: str, report: list[RoomCensus]) -> None:
        self._counters.census_reports += 1
        try:
            await self._mesh.request(
                Method.CENSUS,
                Priority.NORMAL,
                encode(CensusBody(report)),
                trace=self._new_trace(),
                repeatable=True,
                home=home,
            )
        except RequestError as error:
            self._counters.census_errors += 1
            self._census.failed(report)
            log.info("census_failed", rooms=len(report), error=str(error))

    def _facts(self, name: str) -> RoomCensus:
        room = self._rooms.get(name)
        return RoomCensus(name, 0) if room is None else room.census()
