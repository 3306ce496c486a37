"""What `up` writes into the config of each node: addresses, secrets, and nothing else."""

from typing import Any, NamedTuple

from ops.cluster.options import UpOptions
from ops.cluster.plan import LANES, Node, Plan
from ops.cluster.redis_server import Redis
from ops.cluster.state_dir import StateDir

Table = dict[str, Any]


class Shared(NamedTuple):
    """What all nodes of one cluster are told alike."""

    log_level: str
    token_secret: str
    store_url: str
    bus: Table
    relays: list[Table]

    @classmethod
    def of(
        cls, options: UpOptions, plan: Plan, state: StateDir, redis: tuple[Redis, ...]
    ) -> "Shared":
        """Return it for the cluster of `plan`; `redis` are the store and, if embedded, the bus."""
        urls = {each.name: each.url for each in redis}
        return cls(
            log_level=options.log_level,
            token_secret=state.secrets()["token_secret"],
            store_url=urls["redis-store"],
            bus={"kind": options.bus, "url": urls.get("redis-bus", options.bus_url)},
            relays=[relay_table(node) for node in plan.of("relay")],
        )


def relay_table(node: Node) -> Table:
    """Return a relay's name and the URLs of its lanes."""
    return {"id": node.id} | {lane: f"tcp://{node.address(lane)}" for lane in LANES}


def node_tables(node: Node, shared: Shared) -> Table:
    """Return the tables of the config of `node`."""
    own = {"access": _access, "relay": _relay, "router": _router, "logic": _logic}[node.role]
    return {
        "node": {"id": node.id, "http": node.address("http")},
        "log": {"level": shared.log_level, "format": "json"},
        node.role: own(node, shared),
    }


def _access(node: Node, shared: Shared) -> Table:
    return {"listen": node.address("websocket"), "token_secret": shared.token_secret}


def _relay(node: Node, shared: Shared) -> Table:  # noqa: ARG001
    return {}


def _router(node: Node, shared: Shared) -> Table:  # noqa: ARG001
    return {}


def _logic(node: Node, shared: Shared) -> Table:  # noqa: ARG001
    return {}
