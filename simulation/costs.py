"""What a step costs one core, in microseconds, and how long a hop takes: measured, and where.

All on the two cores of docs/performance.md, November 2026; 15 % is noise. "Fan-out of a relay" is
`relaymesh bench links`, "a room" is `relaymesh bench room --viewers 400` at 50 and at 200 messages
a second: what the second took more than the first, over the messages that it had more.
"""

from typing import NamedTuple

BATCH_US = 45.0
"""A batch on a link, sent by one end or taken by the other, whatever is in it. Fan-out of a relay:
43 to 50 for each copy at 100 nodes and 100 messages a second, one in a batch."""

WAKE_US = 300.0
"""A relay that is woken by a batch, beside the batches that it sends for it. A room: 714 for the
three that come for a message, and the four that go. Shared by all that come while it is busy."""

ENVELOPE_US = 0.45
"""An envelope in a full batch, taken or given by a relay. `bench hop`: 1.34 for one in and two
out."""

RECEIVE_US = 1.3
"""An envelope in a full batch, at an access node. `bench hop`: 1.28."""

LINK_US_PER_S = 550.0
"""A link on which nothing is said, at either end, in a second: three pings and pongs. Fan-out of a
relay: 5.4 % of a core for 100 nodes."""

HEAD_US = 1.0
"""A head at an access node, beyond receiving it. Its decoding takes 0.15; the rest is judged."""

ROUND_US = 60.0
"""A round of a room's stream at an access node, beside its writes. A room: what is left of the
node's part after the writes and the request, with one message in a round."""

MESSAGE_US = 15.0
"""A message in a round: read, put in order, joined. `bench edge` counts 18 for a client's frame,
read and answered, which goes through as much."""

WRITE_US = 5.7
"""A write to one socket. `bench edge`, one frame a write: 3.8 at 1,000 connections, 5.6 to 5.7 at
5,000."""

BYTE_US = 0.00027
"""A byte of it. `bench edge` at saturation: 64 KiB take 21 µs."""

REQUEST_US = 165.0
"""A chat at the access node: up, and the answer down. `bench edge`, `chat_us`: 140 to 190."""

LIKE_US = 20.0
"""A frame with likes, merged and answered. `bench edge`, `inbound_us`: 18 to 23."""

IM_US = 160.0
"""An instant message at the access nodes: in, out and acknowledged. docs/performance.md."""

IDLE_CONNECTION_US_PER_S = 1.3
"""A connection that says nothing. `bench idle`: 1.3 % of a core for 10,000."""

CONNECT_US = 143.0
"""Upgrade, hello and join. `bench edge`: 6,800 to 7,230 a second."""

ROUTER_US = 60.0
"""A record at a router, of many that came together. `router.envelopes.room` with its check takes
1.2, the bus and the links the rest: judged."""

ROUTER_ALONE_US = 350.0
"""A record that comes by itself. A room: 357."""

HEADS_ROUTER_US = 1.2
"""A head of one lane and relay at a router: made in 0.5, queued and sent."""

LOOKUP_US = 5.0
"""A uid in a lookup. `router.costs`."""

LOGIC_US = 300.0
"""A room's message in logic, of many. As an instant message, which does more, of many."""

LOGIC_ALONE_US = 570.0
"""One by itself. A room: 570."""

LOGIC_IM_US = 300.0
"""An instant message in logic, with its diffusion. docs/performance.md."""

DATABASE_ROWS_PER_S = 41_000
"""Rows that one PostgreSQL takes, 500 a transaction. docs/performance.md has 29,600 to 42,000."""

STORE_US = 60.0
"""A room's message at Redis, of many: the script that numbers and keeps it, and the bus. A command
takes 5 to 12 where calls come together: judged."""

STORE_ALONE_US = 285.0
"""One by itself. A room: 285, both servers together."""

GATHERED_S = 0.005
"""What comes within so long is done together: between a link's linger and a diffusion's wait."""

BASE_SHARE = {"access": 0.006, "relay": 0.009, "router": 0.01, "logic": 0.012, "store": 0.011}
"""What a process takes of a core with nothing to do: leases, duties, polls. A cluster of ten
processes without a client: 0.008 to 0.013, the links included."""

ENTRY_BYTES = 150
"""A room and node in a relay's table: 114 to 194 by `tracemalloc`, the rooms' names included."""

CONNECTION_BYTES = 2_900
"""An idle connection in a room. `bench edge`: 2.8 to 2.9 KB."""


class Hop(NamedTuple):
    """How long something takes, in milliseconds."""

    p50: float
    p99: float


RELAYED = Hop(1.2, 2.9)
"""From node to relay to node, urgent, and nothing else under way. `bench hop`, the machine busy
with other things: quiet ones have 0.5 and 1.2."""

APPENDED = Hop(1.5, 5.0)
"""In logic, until the room log has kept it. `bench room` has 9.7 and 21.9 for the whole way of a
chat at 50 a second; this and the bus are what the hops leave of it."""

BUS = {"redis": Hop(2.0, 8.0), "rocketmq": Hop(1.9, 53.0)}
"""From published to consumed. RocketMQ: at 1,000 a second, end to end."""


def each_us(together_us: float, alone_us: float, per_s: float) -> float:
    """Return what one of `per_s` costs: the more come within `GATHERED_S`, the more share what is
    done once for all of them."""
    return together_us + (alone_us - together_us) / (1.0 + per_s * GATHERED_S)
