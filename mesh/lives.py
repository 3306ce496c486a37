"""Which access nodes live in other regions, as logic there last said."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import structlog
import trio

from mesh.interface import Mesh
from proto.errors import RequestError
from proto.priorities import Priority
from proto.services import LivesAnswer, Method, decode_lives_answer

TRUSTED_S = 3.0
"""As long as a lease: after that, absence of a node no longer means anything."""

log = structlog.get_logger()


class _Told(NamedTuple):
    answer: LivesAnswer
    at: float


class Lives:
    """The access nodes of `regions`, asked for every second; own nodes are not among them."""

    def __init__(self, mesh: Mesh, regions: tuple[str, ...]) -> None:
        self._mesh = mesh
        self._regions = regions
        self._told: dict[str, _Told] = {}
        self.incarnations: dict[str, str] = {}
        """The nodes that were last said to live, each with its life."""
        self.region_of: Mapping[str, str] = {}
        """The region of each of them."""
        self.failures = 0
        """Questions without an answer."""
        self.name_clashes = 0
        """Nodes that two regions have: routes can't tell them apart, and the first keeps it."""

    def unsettled(self) -> frozenset[str]:
        """Return the regions whose nodes may live though they are not known to."""
        now = trio.current_time()
        return frozenset(region for region in self._regions if not self._is_settled(region, now))

    async def keep(self, interval_s: float) -> None:
        """Ask every `interval_s` seconds, each region by itself, for ever."""
        async with trio.open_nursery() as nursery:
            for region in self._regions:
                nursery.start_soon(self._keep_one, region, interval_s)

    async def ask(self, region: str) -> None:
        """Ask `region` now; without an answer the last one stands."""
        at = trio.current_time()
        try:
            answer = decode_lives_answer(
                await self._mesh.request(Method.LIVES, Priority.NORMAL, home=region)
            )
        except (RequestError, msgspec.MsgspecError) as error:
            self.failures += 1
            log.info("lives_unknown", region=region, reason=str(error))
            return
        self._told[region] = _Told(answer, at)
        self._take_all()

    async def _keep_one(self, region: str, interval_s: float) -> None:
        while True:
            await self.ask(region)
            await trio.sleep(interval_s)

    def _is_settled(self, region: str, now: float) -> bool:
        told = self._told.get(region)
        return told is not None and told.answer.settled and now - told.at <= TRUSTED_S

    def _take_all(self) -> None:
        incarnations: dict[str, str] = {}
        region_of: dict[str, str] = {}
        for region, told in sorted(self._told.items()):
            for node, incarnation in told.answer.lives:
                if region_of.setdefault(node, region) == region:
                    incarnations[node] = incarnation
                else:
                    self._clash(node, region_of[node], region)
        self.incarnations, self.region_of = incarnations, region_of

    def _clash(self, node: str, first: str, second: str) -> None:
        self.name_clashes += 1
        log.error("node_name_twice", node=node, regions=[first, second])
