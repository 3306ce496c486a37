"""What goes wrong in a simulated cluster, each fault for a while, chosen and timed by the seed."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from mesh.addresses import lane_urls
from tests.simulation.harness import Cluster

log = structlog.get_logger()
Fault = Callable[[Cluster], Awaitable[None]]


async def cut_a_lane(cluster: Cluster) -> None:
    """All links of one lane of one relay break; they may come back at once."""
    address = cluster.rng.choice(sorted(cluster.addresses.values()))
    cluster.network.cut(cluster.rng.choice(lane_urls(address)))


async def freeze_a_lane(cluster: Cluster) -> None:
    """What is sent on one lane of one relay vanishes, until somebody misses it."""
    address = cluster.rng.choice(sorted(cluster.addresses.values()))
    cluster.network.freeze(cluster.rng.choice(lane_urls(address)))


async def freeze_a_node(cluster: Cluster) -> None:
    """The links of one node carry nothing any more, until they are missed."""
    role = cluster.rng.choice(("access", "router", "logic"))
    if nodes := cluster.of_role(role):
        cluster.network.freeze(cluster.rng.choice(nodes).name)


async def kill_an_access_node(cluster: Cluster) -> None:
    await _kill(cluster, "access")


async def kill_a_relay(cluster: Cluster) -> None:
    await _kill(cluster, "relay")


async def kill_every_relay(cluster: Cluster) -> None:
    names = [process.name for process in cluster.of_role("relay")]
    for name in names:
        cluster.kill(name)
    await _bring_back(cluster, names)


async def kill_a_router(cluster: Cluster) -> None:
    await _kill(cluster, "router")


async def kill_a_logic_node(cluster: Cluster) -> None:
    await _kill(cluster, "logic")


async def kill_logic_between_log_and_bus(cluster: Cluster) -> None:
    """The next logic node that has appended to a room log dies before it does anything else."""
    died: list[str] = []
    done = trio.Event()

    def after(node: str, call: str) -> None:
        if call == "append" and not died and node in cluster.running:
            died.append(node)
            cluster.kill(node)
            done.set()

    cluster.after_store_call = after
    with trio.move_on_after(2):
        await done.wait()
    cluster.after_store_call = lambda node, call: None
    await _bring_back(cluster, died)


async def bus_away(cluster: Cluster) -> None:
    cluster.broker.stop()
    await trio.sleep(cluster.rng.uniform(0.1, 2))
    cluster.broker.start()


async def store_away(cluster: Cluster) -> None:
    cluster.store.away = True
    await trio.sleep(cluster.rng.uniform(0.1, 2))
    cluster.store.away = False


FAULTS: tuple[Fault, ...] = (
    cut_a_lane,
    freeze_a_lane,
    freeze_a_node,
    kill_an_access_node,
    kill_a_relay,
    kill_every_relay,
    kill_a_router,
    kill_a_logic_node,
    kill_logic_between_log_and_bus,
    bus_away,
    store_away,
)


async def happen(cluster: Cluster, faults: Sequence[Fault], pause_s: float = 1.0) -> None:
    """Let `faults` begin one after the other, `pause_s` apart on average; returns when the last is
    over. While they go on, the bus delivers some packs twice or late."""
    cluster.broker.disorder = 0.3
    async with trio.open_nursery() as nursery:
        for fault in faults:
            await trio.sleep(cluster.rng.uniform(0, 2 * pause_s))
            log.info("fault", what=fault.__name__)
            nursery.start_soon(fault, cluster)
    cluster.broker.disorder = 0.0


async def _kill(cluster: Cluster, role: str) -> None:
    if nodes := cluster.of_role(role):
        name = cluster.rng.choice(nodes).name
        cluster.kill(name)
        await _bring_back(cluster, [name])


async def _bring_back(cluster: Cluster, names: Sequence[str]) -> None:
    await trio.sleep(cluster.rng.uniform(0.05, 2))
    for name in names:
        cluster.start(name)
