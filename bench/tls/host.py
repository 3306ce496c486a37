"""The edge alone, with or without TLS: `python -m bench.tls.host [CERTIFICATE_AND_KEY]`.

Says its port when it listens. For each `ROUNDS PER_S JOINED` on standard input it writes so many
rounds of so many messages to all its clients and says what became of them.
"""

import sys

import trio

from access.edge.channel import OpenChannel, plain
from access.edge.settings import EdgeSettings
from access.edge.tls.certificate import load
from access.edge.tls.channel import TlsChannels
from bench.edge_alone import EdgeAlone, obey_standard_input
from bench.load.payload import payload
from proto import server_frames

SETTINGS = EdgeSettings(ping_interval_s=3600)
"""The clients answer no pings."""


class PacedEdge(EdgeAlone):
    """Writes at an even rate."""

    async def paced(self, line: str) -> dict[str, int]:
        """Write the rounds that `line` asks for."""
        rounds, per_s, joined = line.split()
        counters = self.server.counters
        deliveries, size, stalls = sum(counters.deliveries), counters.bytes_out, counters.stalls
        began = trio.current_time()
        for number in range(int(rounds)):
            await trio.sleep_until(began + number / float(per_s))
            await self._round(int(joined))
        return {
            "deliveries": sum(counters.deliveries) - deliveries,
            "bytes": counters.bytes_out - size,
            "stalls": counters.stalls - stalls,
        }

    async def _round(self, joined: int) -> None:
        number = self.seq + joined
        message = server_frames.message([b'"%b"' % payload(number)[2:]] * joined)
        await self.write(message, joined)


def _channels(file: str) -> OpenChannel:
    certificate = load(file, file)
    return TlsChannels(lambda: certificate.context)


async def serve(open_channel: OpenChannel) -> None:
    """Serve until standard input ends."""
    edge = PacedEdge(SETTINGS, open_channel)
    await obey_standard_input(edge, edge.paced)


if __name__ == "__main__":
    trio.run(serve, _channels(sys.argv[1]) if sys.argv[1:] else plain)
