"""What one access node has to do: an ordinary one, and a dedicated one of the largest hot room."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from backends.room_log.retention import Retention
from proto.priorities import Priority
from simulation import costs, edge
from simulation.batching import Pace
from simulation.deployment import Deployment
from simulation.edge import Edge, Stream
from simulation.likes import Merged, merged
from simulation.messages import Taken
from simulation.placement import Placed, Region
from simulation.sampling import binomial, whole
from simulation.traffic import Rates, active_lanes, rates

WANTED = 0.7
"""The share of a core that a node may use when nothing is wrong: the rest is for when one dies."""

DRAWN = 4000
LARGE = 100

IN_TIME_S = 0.15
"""How long a message may wait at a node: `bench edge` looks for the most within so long."""


@dataclass(slots=True)
class Node:
    """A node's work: shares of its core by what they are for, and how its writing went."""

    parts: dict[str, float]
    edge: Edge
    clients: float
    rooms: int
    likes: Merged
    largest: int
    """Members of its largest room."""
    as_given: bool = True
    """False: it has more to do than a core can; `edge` is of a node with so much less that it
    could."""

    drawn_ms: list[list[float]] = field(default_factory=list)
    """By priority, ages of deliveries at random, in milliseconds."""

    @property
    def share(self) -> float:
        """Of its core; over 1 it can't be done."""
        return sum(self.parts.values())


@dataclass(slots=True)
class _Here:
    """A room on the node: its members here and its rates."""

    members: int
    rates: Rates
    heads_by: int
    """Relays that bring its heads."""


def ordinary(
    deployment: Deployment,
    placed: Iterable[Placed],
    regions: Sequence[Region],
    pace: Pace,
    im: Taken,
    random: Random,
) -> Node:
    """Return the work of an ordinary node of the first region."""
    region = regions[0]
    here: list[_Here] = []
    for each in placed:
        receivers = 0 if each.pool and each.home == 0 else each.receivers[0]
        expected = each.room.weight * receivers / region.ordinary
        # Of many small rooms some of each size are here; each with one member at least.
        for _ in range(whole(random, expected)):
            members = 1 + binomial(random, max(0, each.viewers[0] - receivers), 1 / receivers)
            by = deployment.relays_per_region if each.home == 0 else 1
            here.append(_Here(members, rates(deployment, each.room.viewers), by))
    return _node(deployment, here, pace, im, random)


def dedicated(
    deployment: Deployment, placed: Iterable[Placed], pace: Pace, im: Taken, random: Random
) -> Node | None:
    """Return the work of a node of the largest hot room; `None` where no room is hot."""
    hot = [each for each in placed if each.pool]
    if not hot:
        return None
    largest = max(hot, key=lambda each: each.room.viewers)
    members = max(1, largest.viewers[largest.home] // largest.pool)
    here = _Here(members, rates(deployment, largest.room.viewers), deployment.relays_per_region)
    return _node(deployment, [here], pace, im, random)


def _node(
    deployment: Deployment, here: Sequence[_Here], pace: Pace, im: Taken, random: Random
) -> Node:
    clients = float(sum(each.members for each in here))
    liked = merged([deployment.likes * each.members for each in here], random)
    parts = _parts(deployment, here, clients, liked, pace, im)
    other = sum(parts.values())
    streams = [
        Stream(each.members, priority, rate)
        for each in here
        for priority, rate in zip(Priority, each.rates.lanes, strict=True)
        if rate
    ]
    ran = edge.run(streams, deployment.frame_bytes, other, random)
    as_given = other < WANTED and not ran.behind
    parts["writing"] = _demand(streams, deployment.frame_bytes) if ran.behind else ran.share
    if not as_given:
        less = min(1.0, WANTED / max(other + parts["writing"], WANTED))
        ran = edge.run(
            _fewer(streams, less, random), deployment.frame_bytes, min(other, WANTED) / 2, random
        )
    drawn = [_drawn(ages, random) for ages in ran.ages_s]
    largest = max((each.members for each in here), default=0)
    return Node(parts, ran, clients, len(here), liked, largest, as_given, drawn)


def _fewer(streams: Sequence[Stream], share: float, random: Random) -> list[Stream]:
    """Return `share` of the node's members: of large rooms some members, of small ones some
    rooms."""
    large = [each for each in streams if each.members >= LARGE]
    small = [each for each in streams if each.members < LARGE]
    return [
        *(each._replace(members=max(1, int(each.members * share))) for each in large),
        *random.sample(small, int(len(small) * share)),
    ]


def _drawn(ages: Sequence[tuple[float, int]], random: Random) -> list[float]:
    """Return ages in milliseconds as deliveries have them: a chunk weighs as many as it has."""
    if not ages:
        return []
    values, weights = zip(*ages, strict=True)
    return [1000 * age for age in random.choices(values, weights=weights, k=DRAWN)]


def _parts(
    deployment: Deployment,
    here: Sequence[_Here],
    clients: float,
    liked: Merged,
    pace: Pace,
    im: Taken,
) -> dict[str, float]:
    """Return the shares of the core that go into all but the writing."""
    links = deployment.relays_per_region
    heads = sum(
        each.heads_by * sum(active_lanes(each.rates, Retention().active_s)) for each in here
    )
    said = sum(each.members * _published(each.rates, deployment) for each in here)
    im_here = deployment.im * clients
    im_copies = im.relay_access / deployment.access
    us = {
        "links": links * (costs.LINK_US_PER_S + sum(pace.batches) * costs.BATCH_US),
        "heads": heads * (costs.RECEIVE_US + costs.HEAD_US),
        "chat": said * costs.REQUEST_US,
        "likes": liked.frames * costs.LIKE_US + liked.reports * costs.REQUEST_US,
        "im": im_here * costs.IM_US + im_copies * costs.RECEIVE_US,
        "idle": clients * costs.IDLE_CONNECTION_US_PER_S,
    }
    return {name: each / 1e6 for name, each in us.items()} | {"base": costs.BASE_SHARE["access"]}


def _published(its: Rates, deployment: Deployment) -> float:
    """Return what one viewer says in a second, at most."""
    each = deployment.chats + deployment.gifts
    return each if its.published else 0.0


def _demand(streams: Sequence[Stream], frame_bytes: int) -> float:
    """Return the share of a core that writing would take to be in time: urgent messages each by
    itself, others joined for `IN_TIME_S` at most."""
    byte_us = frame_bytes * costs.BYTE_US
    us = 0.0
    for each in streams:
        most = each.rate if each.priority == Priority.URGENT else 1 / IN_TIME_S
        rounds = min(each.rate, most)
        us += rounds * (costs.ROUND_US + each.members * costs.WRITE_US)
        us += each.rate * (costs.MESSAGE_US + each.members * byte_us)
    return us / 1e6
