"""When the nodes' lanes send: at once, or a little later where that would be too soon."""

import trio

from mesh.batching import LINGER_S
from proto.priorities import Priority
from relay.delivery import Touched
from relay.lanes import PeerLane


class Sending:
    """Has lanes send, and comes back to those for which it was too soon."""

    def __init__(self) -> None:
        self._late: list[dict[PeerLane, None]] = [{} for _ in Priority]
        """Lanes with something to send that would be too soon now."""
        self._some_late = [trio.Event() for _ in Priority]

    def absorb(self, touched: Touched, now: float) -> None:
        """Have the lanes take in what was gathered for them, and send."""
        for lane in touched:
            if not lane.absorb(now):
                self._be_late(lane)

    def flush(self, lane: PeerLane) -> None:
        """Have the lane send what waits on it."""
        if not lane.flush(trio.current_time()):
            self._be_late(lane)

    async def run(self, priority: Priority) -> None:
        """Send on the lanes of `priority`, a little later, what would have been too soon."""
        while True:
            await self._some_late[priority].wait()
            await trio.sleep(LINGER_S[priority])
            late, self._late[priority] = self._late[priority], {}
            self._some_late[priority] = trio.Event()
            for lane in late:
                self.flush(lane)

    def _be_late(self, lane: PeerLane) -> None:
        self._late[lane.priority][lane] = None
        self._some_late[lane.priority].set()
