"""Leases: which nodes live, and who holds a duty that one alone may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class NodeLease:
    """A node that lives, as it last said itself; `status` is JSON-able, for `relaymesh status`."""

    node: str
    role: str
    region: str
    incarnation: str
    url: str
    """Where clients or operators reach it: `ws://…/v1` of an access node, `http://…` else."""
    status: Mapping[str, Any]

    @property
    def pool(self) -> str:
        """The pool that an access node is dedicated to, by its status; "" for an ordinary one."""
        pool = self.status.get("pool", "")
        return pool if isinstance(pool, str) else ""


LOST_KEPT_S = 300.0
"""For how long a node is known as lost after its last sign of life."""


class Lost(NamedTuple):
    """A node whose lease has run out, as it last said itself: it did not resign."""

    lease: NodeLease
    silent_s: float
    """Since it last renewed."""


class RegionNodes(NamedTuple):
    """The nodes of a region: those that live, and those that were lost of late."""

    living: Sequence[NodeLease] = ()
    lost: Sequence[Lost] = ()


class Orders(NamedTuple):
    """What a node that renews is told to do."""

    drain: bool = False
    """Finish and end: somebody has ordered it, for this life of the node."""


class Registry(Protocol):
    """The nodes that live; a node that is not renewed within the lease's time is gone."""

    async def renew(self, lease: NodeLease) -> Orders:
        """Say that the node lives, for another lease time; returns what it is to do."""

    async def order_drain(self, node: str) -> str | None:
        """Order the life of `node` that is known now to drain, and no later one; returns its
        incarnation, or `None` where no such node lives."""

    async def resign(self, node: str, incarnation: str) -> None:
        """End the node's lease, unless another incarnation holds it."""

    async def living(self, role: str = "") -> list[NodeLease]:
        """Return the nodes whose lease runs; those of `role` alone cost no look at the others."""

    async def living_in(self, pool: str, most: int) -> list[NodeLease]:
        """Return at most `most` access nodes of `pool` whose lease runs, chosen at random where
        there are more ("": ordinary nodes). What it costs grows with `most`, not with the nodes."""

    async def lost(self) -> list[Lost]:
        """Return the nodes that were last heard of within `LOST_KEPT_S`, and whose lease has run
        out: those that resigned are not among them."""

    async def settled(self) -> bool:
        """Say whether absence means anything: false for one lease time after the store has lost
        its data or come back, since nodes that live may not have renewed yet."""


class Duties(Protocol):
    """Named duties, each held by one holder at a time, with a fencing number."""

    async def hold(self, duty: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew `duty`; returns its fencing number (greater for each new holder), or
        `None` while somebody else holds it."""

    async def release(self, duty: str, holder: str) -> None:
        """Give `duty` up, if `holder` has it."""
