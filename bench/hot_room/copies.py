"""Copies of a message that routers and relays make, from their own counters."""

import trio

from bench.cluster import Cluster

WINDOW_S = 3.0


async def copies(cluster: Cluster) -> float:
    """Return the copies of one room message on both tiers, over the next seconds.

    The first tier is what reaches relays (from a router, or by the hot way from the bus), the
    second what relays hand to access nodes.
    """
    before, messages_before = await _made(cluster), await _published(cluster)
    await trio.sleep(WINDOW_S)
    made, messages = await _made(cluster) - before, await _published(cluster) - messages_before
    return round(made / messages, 2) if messages else 0.0


async def _made(cluster: Cluster) -> float:
    router, relay = await cluster.metrics("router"), await cluster.metrics("relay")
    access = await cluster.metrics("access")
    to_relays = router.get('relaymesh_router_envelopes_total{mode="room"}', 0.0)
    to_relays += _sum(relay, "relaymesh_relay_hot_records_total")
    return to_relays + _sum(access, "relaymesh_access_room_messages_total")


async def _published(cluster: Cluster) -> float:
    return _sum(await cluster.metrics("logic"), "relaymesh_logic_published_total")


def _sum(metrics: dict[str, float], name: str) -> float:
    return sum(value for key, value in metrics.items() if key.partition("{")[0] == name)
