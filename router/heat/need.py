"""How hot a room is, and how many dedicated nodes it needs."""

from math import ceil, sqrt

from router.heat.settings import HeatSettings
from router.heat.state import Signals


def pressure(signals: Signals, settings: HeatSettings) -> float:
    """Return how near the room is to the nearest of its thresholds: 1 is there."""
    online, messages_per_s = signals.online or 0, sum(signals.messages_per_s)
    shares = [online / settings.online]
    if settings.messages_per_s:
        shares.append(messages_per_s / settings.messages_per_s)
    if settings.fan_out:
        shares.append(online * messages_per_s / settings.fan_out)
    return max(shares)


def nodes_for(online: int, settings: HeatSettings) -> int:
    """Return how many dedicated nodes `online` viewers need now."""
    return min(settings.max_nodes, max(1, ceil(online / settings.viewers_per_node)))


def live(signals: Signals) -> bool:
    """Say whether there is anybody: totals alone, which are bulk, are published by ourselves."""
    urgent, normal, _ = signals.messages_per_s
    return bool(signals.online or urgent or normal)


def wanted(signals: Signals, settings: HeatSettings, least: int = 0) -> int:
    """Return how many to ask for, for `least` viewers or as many as there are."""
    online = max(signals.online or 0, least)
    return nodes_for(ceil(online * settings.headroom), settings)


def spread_s(signals: Signals, settings: HeatSettings, growth: float = 1.0) -> float:
    """Return the time over which the viewers move, each at a moment chosen at random; there may be
    `growth` times as many until they are told.

    So many a second are Poisson distributed: the mean is chosen so that it and three standard
    deviations make the rate that is allowed, mean + 3·√mean = rate.
    """
    allowed = settings.move_rate_per_s
    mean = ((sqrt(9 + 4 * allowed) - 3) / 2) ** 2
    return (signals.online or 0) * growth / max(mean, allowed / 4)
