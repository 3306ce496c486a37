"""The nodes of other regions, as logic there says: asked for when somebody looks at the status."""

from collections.abc import Sequence

import msgspec
import structlog
import trio

from backends.leases.interface import RegionNodes
from mesh.interface import Mesh
from proto.errors import RequestError
from proto.priorities import Priority
from proto.services import Method

FRESH_S = 1.0
"""As old as an answer may be: however many look, a region is asked once a second."""

PATIENCE_S = 1.5
"""A region that takes longer is shown as one that does not answer."""

log = structlog.get_logger()
_decode = msgspec.json.Decoder(RegionNodes).decode


class OtherRegions:
    """Asks `names`, all at a time; `own` is the region of this gateway. `nodes` has the last
    answers, `None` where there was none."""

    def __init__(self, mesh: Mesh, own: str, names: Sequence[str]) -> None:
        self.own = own
        self._mesh = mesh
        self._asking = trio.Lock()
        self._asked_at_s = float("-inf")
        self.nodes: dict[str, RegionNodes | None] = dict.fromkeys(names)

    async def look(self) -> None:
        """Ask every region, unless that was done within `FRESH_S`."""
        async with self._asking:
            if trio.current_time() < self._asked_at_s + FRESH_S:
                return
            async with trio.open_nursery() as nursery:
                for region in self.nodes:
                    nursery.start_soon(self._ask, region)
            self._asked_at_s = trio.current_time()

    async def _ask(self, region: str) -> None:
        answer = None
        with trio.move_on_after(PATIENCE_S):
            try:
                raw = await self._mesh.request(Method.LEASES, Priority.NORMAL, home=region)
                answer = _decode(raw)
            except (RequestError, msgspec.MsgspecError) as error:
                log.info("region_unknown", region=region, reason=str(error))
        self.nodes[region] = answer
