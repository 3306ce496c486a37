"""What batches cost a relay: one core for all its nodes, and batches that grow with its load."""

from collections.abc import Sequence
from typing import NamedTuple

from mesh.batching import LINGER_S
from proto.priorities import Priority
from simulation.costs import BATCH_US

FULL = 0.9
"""How busy a core may be before its batches wait: what is left is for bursts."""

LONGEST_S = 1.0


class Pace(NamedTuple):
    """How a node's links run: the core's share for batches, batches a second of one link by lane,
    and how long one waits for the next at least."""

    share: float
    batches: tuple[float, ...]
    wait_s: float


def batches_per_s(envelopes_per_s: float, wait_s: float) -> float:
    """Return the batches of a lane: after each one the next envelope is waited for, and `wait_s` at
    least, in which others gather."""
    return envelopes_per_s / (1.0 + envelopes_per_s * wait_s)


def pace(links: int, envelopes: Sequence[float], other_share: float) -> Pace:
    """Return how `links` run that each carry `envelopes` a second by lane, when the core is busy
    with `other_share` already: as their lingers say, or as slowly as the core needs. Where it is
    full already nothing is left for batches: their share is 0."""
    if other_share >= FULL:
        return Pace(0.0, (0.0, 0.0, 0.0), LONGEST_S)
    found = _at(links, envelopes, 0.0)
    if found.share + other_share <= FULL:
        return found
    low, high = 0.0, LONGEST_S
    for _ in range(40):
        middle = (low + high) / 2
        if _at(links, envelopes, middle).share + other_share > FULL:
            low = middle
        else:
            high = middle
    return _at(links, envelopes, high)


def _at(links: int, envelopes: Sequence[float], wait_s: float) -> Pace:
    each = tuple(batches_per_s(envelopes[lane], max(wait_s, LINGER_S[lane])) for lane in Priority)
    return Pace(links * sum(each) * BATCH_US / 1e6, each, wait_s)
