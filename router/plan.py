"""The plan: look receivers up and send precisely, or send to every access node and filter there.

A record for users goes one of two ways, and each of them has a price that can be told before
anybody is looked up. With u receivers, n access nodes and k relays:

- **precise**: u lookups, in one round trip that the records of a delivery share; the receivers sit
  on about m = n·(1 − (1 − 1/n)^u) nodes, whose carriers are about k·(1 − (1 − 1/k)^m) relays; one
  copy to each of these relays and one to each of these nodes; each uid travels once on each hop.
- **broadcast**: no lookup; one copy to one relay and one to each of the n nodes; each uid travels
  once to the relay and once to every node, which drops the body unread unless it knows a uid.

The cheaper one is taken. Few receivers among many nodes are looked up; many receivers among few
nodes are not. Where absence of a route does not mean that somebody is offline (`settled` is false),
only broadcast is right, whatever it costs.

The article's plan sends every copy by itself, without grouping: 3 for each receiver when precise
(lookup, relay, node), u + n when broadcast. `ungrouped` tells it for comparison.
"""

from enum import StrEnum
from typing import NamedTuple

from proto.envelopes import MAX_HEADER_BYTES
from router.costs import Costs


class Mode(StrEnum):
    """The way that a record goes."""

    ROOM = "room"
    PRECISE = "precise"
    BROADCAST = "broadcast"
    EVERYBODY = "everybody"


class Load(NamedTuple):
    """What is to be delivered: how many uids, their bytes together (with their numbers, where the
    body is for mailboxes), and the bytes of the body."""

    uids: int
    uid_bytes: int
    body_bytes: int


class Cluster(NamedTuple):
    """How many access nodes and relays it may go over."""

    nodes: int
    relays: int


class Estimate(NamedTuple):
    """What one mode is expected to take: lookups, copies on each tier, bytes of uids, and CPU."""

    mode: Mode
    lookups: int
    relay_copies: float
    node_copies: float
    uid_bytes: float
    cost_us: float

    @property
    def copies(self) -> float:
        """Copies of both tiers together."""
        return self.relay_copies + self.node_copies


class Ungrouped(NamedTuple):
    """The article's copies, for both of its modes."""

    precise: int
    broadcast: int


def choose(
    load: Load, cluster: Cluster, costs: Costs, *, settled: bool, sharing: int = 1
) -> Estimate:
    """Return the cheaper way for `load`, one of `sharing` records that came together; broadcast
    where routes can't be trusted."""
    everywhere = broadcast(load, cluster, costs)
    if not settled:
        return everywhere
    exact = precise(load, cluster, costs, sharing=sharing)
    return min(exact, everywhere, key=lambda each: each.cost_us)


def precise(load: Load, cluster: Cluster, costs: Costs, *, sharing: int = 1) -> Estimate:
    """Return what it takes to look everybody up, in a round trip that `sharing` records share, and
    to send only where they are."""
    nodes = occupied(load.uids, cluster.nodes)
    relays = occupied(nodes, cluster.relays)
    lookup_us = costs.round_trip_us / sharing + load.uids * costs.lookup_us
    uid_bytes = 2.0 * load.uid_bytes
    cost_us = lookup_us + _transport_us(relays + nodes, uid_bytes, load, costs)
    return Estimate(Mode.PRECISE, load.uids, relays, nodes, uid_bytes, cost_us)


def broadcast(load: Load, cluster: Cluster, costs: Costs) -> Estimate:
    """Return what it takes to send to every node; a long list of uids takes several envelopes."""
    relays = float(max(1, -(-load.uid_bytes // MAX_HEADER_BYTES)))
    nodes = relays * cluster.nodes
    uid_bytes = float(load.uid_bytes * (1 + cluster.nodes))
    cost_us = _transport_us(relays + nodes, uid_bytes, load, costs)
    return Estimate(Mode.BROADCAST, 0, relays, nodes, uid_bytes, cost_us)


def occupied(balls: float, bins: int) -> float:
    """Return how many of `bins` are expected to hold something after `balls` fell into them."""
    return bins * (1.0 - (1.0 - 1.0 / bins) ** balls) if bins else 0.0


def ungrouped(uids: int, nodes: int) -> Ungrouped:
    """Return the copies of the article's plan: 3 a receiver, or one a receiver and a node."""
    return Ungrouped(3 * uids, uids + nodes)


def _transport_us(copies: float, uid_bytes: float, load: Load, costs: Costs) -> float:
    each_us = costs.copy_us + load.body_bytes * costs.body_byte_us
    return copies * each_us + uid_bytes * costs.uid_byte_us
