"""The real heat machine for each room over the threshold, in virtual time: up, hot, and back.

Every room begins normal with all its viewers, as if a broadcast everybody waited for began; when it
has been hot for a while most of them go. The provisioner gives what its region can spare, a while
after it was asked. Rooms meet only there, so each runs by itself, the largest first.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proto.heat import HeatState
from router.heat.machine import provided, released, step
from router.heat.settings import HeatSettings
from router.heat.state import Advance, Heat, Provide, Reason, Release, Signals
from simulation.deployment import Deployment
from simulation.placement import Placed, Region
from simulation.sampling import quantile
from simulation.traffic import rates

READY_S = 5
"""From asking the provisioner until nodes take connections: processes that start. A machine that
has to be made first takes minutes, which is added to `preparing` and to nothing else."""

TOLD_S = 1
"""Until every gateway has acknowledged a rule: they look four times a second."""

HOT_FOR_S = 60
LEFT = 0.2
"""Share of the threshold that stays when the show is over."""

KEEP = 0.25
"""Of its nodes, a region keeps so many out of pools, whatever is hot."""

LONGEST_S = 24 * 3600


@dataclass(slots=True)
class Course:
    """What became of one room."""

    states: list[str] = field(default_factory=lambda: [HeatState.NORMAL.value])
    phases_s: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)
    moved: int = 0


@dataclass(slots=True)
class Upgrades:
    """What became of all rooms over the threshold."""

    over: float = 0.0
    hot: float = 0.0
    no_capacity: float = 0.0
    moved: float = 0.0
    courses: list[tuple[float, Course]] = field(default_factory=list)
    moves_at: Counter[int] = field(default_factory=Counter)
    """Moves of all rooms by the second in which they are made."""


def settings(deployment: Deployment) -> HeatSettings:
    """Return the settings that fit the deployment: its threshold, and so many viewers for each
    dedicated node that it has as many as an ordinary one has clients, if that is more than
    usual."""
    usual = HeatSettings()
    average = math.ceil(deployment.clients / deployment.access * usual.headroom)
    per_node = deployment.viewers_per_node or max(usual.viewers_per_node, average)
    return HeatSettings(online=deployment.threshold, viewers_per_node=per_node)


def upgrade(
    deployment: Deployment, placed: Sequence[Placed], regions: Sequence[Region]
) -> Upgrades:
    """Run every room that is over the threshold; gives those that get hot their pools."""
    found, tuned = Upgrades(), settings(deployment)
    over = [each for each in placed if each.room.viewers >= deployment.threshold]
    for each in sorted(over, key=lambda one: -one.room.viewers):
        run = _Run(deployment, each, regions[each.home], tuned, found.moves_at)
        course, weight = run.all(), each.room.weight
        found.over += weight
        found.hot += weight * (HeatState.HOT.value in course.states)
        found.no_capacity += weight * (Reason.NO_CAPACITY.value in course.reasons)
        found.moved += weight * course.moved
        found.courses.append((weight, course))
        each.pool = run.nodes if HeatState.HOT.value in course.states else 0
        regions[each.home].dedicated += round(each.pool * weight)
    return found


class _Run:
    """One room, a second at a time."""

    def __init__(
        self,
        deployment: Deployment,
        placed: Placed,
        region: Region,
        tuned: HeatSettings,
        moves_at: Counter[int],
    ) -> None:
        self._tuned = tuned
        self._moves_at = moves_at
        self._weight = placed.room.weight
        self._viewers = placed.room.viewers
        self._at_home = placed.viewers[placed.home]
        self._rates = rates(deployment, placed.room.viewers).lanes
        free = int(region.access * (1.0 - KEEP)) - region.dedicated
        self._free = max(0, int(free / placed.room.weight))
        self._threshold = deployment.threshold
        self._course = Course()
        self._heat = Heat()
        self._asked_at: int | None = None
        self.nodes = 0
        self._ready = 0
        self._moving = 0
        self._over = False
        """The show."""

    def all(self) -> Course:
        """Run the room until it is normal again."""
        for now_s in range(LONGEST_S):
            self._second(now_s)
            if self._finished():
                break
        return self._course

    def _second(self, now_s: int) -> None:
        if self._asked_at is not None and now_s >= self._asked_at + READY_S:
            self._ready = self.nodes
        online = int(self._threshold * LEFT) if self._over else self._viewers
        heat = self._heat
        signals = Signals(
            online=online,
            messages_per_s=self._rates,
            ready=self._ready,
            told=heat.in_state_s >= TOLD_S,
            remaining=self._moving,
        )
        taken = step(heat, signals, float(now_s), self._tuned)
        self._heat = taken.heat
        self._course.phases_s[heat.state.value] += 1
        self._move(now_s)
        for action in taken.actions:
            self._act(action, now_s, online)
        if self._heat.state is HeatState.HOT and self._heat.in_state_s >= HOT_FOR_S:
            self._over = True

    def _act(self, action: Any, now_s: int, online: int) -> None:
        if isinstance(action, Advance):
            self._course.states.append(action.to.value)
            self._course.reasons.append(action.reason.value)
            if action.to in (HeatState.MOVING, HeatState.COOLING):
                self._moving = min(self._at_home, online)
        elif isinstance(action, Provide):
            self.nodes = min(action.nodes, self._free)
            self._asked_at = now_s if self._asked_at is None else self._asked_at
            self._heat = provided(self._heat, "pool" if self.nodes else "")
        elif isinstance(action, Release):
            self._heat = released(self._heat)

    def _move(self, now_s: int) -> None:
        """Let a second's viewers go, once everybody has heard the rule."""
        heat = self._heat
        if heat.state in (HeatState.MOVING, HeatState.COOLING) and heat.told and self._moving:
            going = min(self._moving, round(self._tuned.move_rate_per_s))
            self._moving -= going
            self._course.moved += going
            self._moves_at[now_s] += round(going * self._weight)

    def _finished(self) -> bool:
        heat = self._heat
        failed = Reason.NO_CAPACITY.value in self._course.reasons
        back = heat.state is HeatState.NORMAL and len(self._course.states) > 1
        return failed or (back and not heat.pool)


def shown(found: Upgrades, tuned: HeatSettings, regions: Sequence[Region]) -> dict[str, Any]:
    """Return what is printed of it."""
    courses = [course for _, course in found.courses if HeatState.HOT.value in course.states]
    moving = sorted(float(course.phases_s[HeatState.MOVING.value]) for course in courses)
    return {
        "over_threshold": round(found.over),
        "hot": round(found.hot),
        "no_capacity": round(found.no_capacity),
        "dedicated_nodes": sum(region.dedicated for region in regions),
        "viewers_per_node": tuned.viewers_per_node,
        "moves": round(found.moved),
        "moves_per_s": max(found.moves_at.values(), default=0),
        "moving_s": {"p50": quantile(moving, 0.5), "max": moving[-1] if moving else 0.0},
        "phases_s": dict(courses[0].phases_s) if courses else {},
        "states": courses[0].states if courses else [],
    }
