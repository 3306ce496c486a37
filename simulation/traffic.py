"""How often something is said in a room, by priority."""

import math
from typing import NamedTuple

from simulation.deployment import Deployment

URGENT_SHARE = 0.25
"""Of a room's bound, what urgent messages may take beside chat."""


class Rates(NamedTuple):
    """Messages a second in one room, by priority, and what its viewers send for likes."""

    urgent: float
    normal: float
    bulk: float
    like_frames: float

    @property
    def messages(self) -> float:
        """Of all priorities."""
        return self.urgent + self.normal + self.bulk

    @property
    def lanes(self) -> tuple[float, float, float]:
        """By lane."""
        return self.urgent, self.normal, self.bulk

    @property
    def published(self) -> float:
        """Messages that clients send, each of which logic answers."""
        return self.urgent + self.normal


def rates(deployment: Deployment, viewers: int) -> Rates:
    """Return the rates of a room with `viewers`. Bulk are the totals of likes: one in each second
    in which somebody liked."""
    likes = deployment.likes * viewers
    return Rates(
        min(deployment.gifts * viewers, deployment.room_per_s * URGENT_SHARE),
        min(deployment.chats * viewers, deployment.room_per_s),
        1.0 - math.exp(-likes),
        likes,
    )


def active_lanes(each: Rates, active_s: float) -> tuple[float, float, float]:
    """Return the chance that the room has a head on each lane: said once, it has one as long as the
    room is active, which is as long as anything is said within `active_s`."""
    active = 1.0 - math.exp(-each.messages * active_s)
    # A room's numbers outlive its activity by a week, so that a lane that was ever used has a head.
    return tuple(active if rate else 0.0 for rate in each.lanes)  # type: ignore[return-value]
