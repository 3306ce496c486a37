"""What `up` writes into the config of each node: addresses, secrets, and nothing else."""

from pathlib import Path
from typing import Any, NamedTuple

from backends.redis.server import Redis
from mesh.addresses import TLS_SCHEME
from ops.certs.folder import Folder
from ops.cluster.options import UpOptions
from ops.cluster.plan import LANES, LOOPBACK, Node, Plan
from ops.cluster.state_dir import StateDir

Table = dict[str, Any]
PAGES = Path(__file__).parents[2] / "clients" / "js"
"""The demo page and the client it uses, where this runs from a checkout."""


class Shared(NamedTuple):
    """What all nodes of one cluster are told alike."""

    log_level: str
    token_secret: str
    receipt_secret: str
    certificates: Folder
    relays: list[str]
    api_keys_file: str
    store: Table
    bus: Table
    database: Table
    provisioner: Table

    @classmethod
    def of(
        cls, options: UpOptions, plan: Plan, state: StateDir, redis: tuple[Redis, ...]
    ) -> "Shared":
        """Return it for the cluster of `plan`; `redis` are the store and, if embedded, the bus."""
        secrets = state.secrets()
        urls = {each.name: each.url for each in redis}
        return cls(
            log_level=options.log_level,
            token_secret=secrets["token_secret"],
            receipt_secret=secrets["receipt_secret"],
            certificates=Folder(state.folder("certs")),
            relays=[_lanes(node) for node in plan.of("relay")],
            api_keys_file=str(state.api_keys()),
            store={"url": urls["redis-store"]},
            bus=_bus(options, state, urls),
            database={"url": options.database_url or _file(state)},
            provisioner=_provisioner(plan, secrets["pools_secret"]),
        )


def _lanes(relay: Node) -> str:
    return f"{TLS_SCHEME}{relay.address(LANES[0])}"


def _mesh(node: Node, shared: Shared) -> Table:
    return {"relays": shared.relays, "tls": _tls(node, shared)}


def _tls(node: Node, shared: Shared) -> Table:
    return shared.certificates.files(node.role, node.id)._asdict()


def _bus(options: UpOptions, state: StateDir, urls: dict[str, str]) -> Table:
    if options.bus == "redis":
        return {"kind": "redis", "url": urls["redis-bus"]}
    # Clusters that share a broker must not take each other's messages.
    prefix = f"relaymesh-{state.cluster_id()}"
    return {"kind": "rocketmq", "url": options.bus_url, "prefix": prefix}


def _provisioner(plan: Plan, secret: str) -> Table:
    if not plan.dedicated:
        return {"kind": "none"}
    return {"kind": "webhook", "url": f"http://{plan.pools}", "secret": secret}


def _file(state: StateDir) -> str:
    return f"sqlite:///{state.folder('database')}/relaymesh.db"


def node_tables(node: Node, shared: Shared) -> Table:
    """Return the tables of the config of `node`."""
    own = {"access": _access, "relay": _relay, "router": _router, "logic": _logic}[node.role]
    return {
        "node": {"id": node.id, "http": node.address("http")},
        "log": {"level": shared.log_level, "format": "json"},
        node.role: own(node, shared),
    }


def _access(node: Node, shared: Shared) -> Table:
    return {
        "edge": {"host": LOOPBACK, "port": node.ports["websocket"]},
        "tokens": {"secret": shared.token_secret},
        "mesh": _mesh(node, shared),
        "store": shared.store,
    }


def _relay(node: Node, shared: Shared) -> Table:
    return {
        "listen": _lanes(node),
        "tls": _tls(node, shared),
        "store_url": shared.store["url"],
        "bus": shared.bus,
    }


def _router(node: Node, shared: Shared) -> Table:
    sources = {"pages": str(PAGES), "console": str(PAGES / "console")} if PAGES.is_dir() else {}
    pages = {"demo": True, **sources}
    return {
        "mesh": _mesh(node, shared),
        "store": shared.store,
        "bus": shared.bus,
        "tokens": {"secret": shared.token_secret},
        "gateway": {
            **pages,
            "demo_receipt_secret": shared.receipt_secret,
            "api_keys_file": shared.api_keys_file,
        },
        "provisioner": shared.provisioner,
    }


def _logic(node: Node, shared: Shared) -> Table:
    return {
        "mesh": _mesh(node, shared),
        "store": shared.store,
        "bus": shared.bus,
        "database": shared.database,
        "receipts": {"secret": shared.receipt_secret},
        "auth": {"kind": "accounts", "secret": shared.token_secret},
    }
