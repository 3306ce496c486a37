"""The edge alone, one frame a write, without sessions and mesh.

`python -m bench.edge.bare_edge PATH`; PATH is how it writes: `auto`, `loop` or `io_uring`. Says its
port and what it chose when it listens. For each `SECONDS` on standard input it writes rounds of one
message to all its clients back to back, through the whole fan-out of `access.edge.server.Server`,
and says how many deliveries a second that were.
"""

import sys
import time

import msgspec
import trio

from access.edge.settings import EdgeSettings, WritePathName
from bench.edge_alone import EdgeAlone, obey_standard_input
from bench.load.payload import payload


class BareEdge(EdgeAlone):
    """Writes as fast as it can."""

    async def back_to_back(self, seconds: str) -> dict[str, float]:
        """Write rounds of one message, each as soon as the one before is written."""
        deliveries = self.server.counters.deliveries
        before, started = sum(deliveries), time.perf_counter()
        while time.perf_counter() - started < float(seconds):
            await self.write(payload(self.seq), 1)
        count, took_s = sum(deliveries) - before, time.perf_counter() - started
        return {"per_s": count / took_s, "deliveries": count}


async def serve(path: WritePathName) -> None:
    """Serve until standard input ends."""
    edge = BareEdge(EdgeSettings(write_path=path))
    await obey_standard_input(edge, edge.back_to_back)


if __name__ == "__main__":
    trio.run(serve, msgspec.convert(sys.argv[1], WritePathName))
