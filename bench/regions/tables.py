"""What the config of each node says: the regions, its own neighbours, and nothing else."""

from typing import Any, NamedTuple

from bench.certificates import TlsTable
from bench.regions.description import POOL, Description, Host
from bench.regions.place import LANES, Place, three_urls

Table = dict[str, Any]


class Shared(NamedTuple):
    """What all nodes of all regions are told alike; `relays` are those of each region now, `sets`
    what a test wants otherwise, and `tls` the certificates, both by role."""

    description: Description
    place: Place
    token_secret: str
    receipt_secret: str
    relays: dict[str, list[Host]]
    tls: dict[str, TlsTable]
    sets: dict[str, Table]


class Own(NamedTuple):
    """What the nodes of one region share."""

    store_url: str
    database_url: str


def node_tables(host: Host, shared: Shared, own: Own) -> Table:
    """Return the tables of the config of `host`."""
    tables = {"access": _access, "relay": _relay, "router": _router, "logic": _logic}
    role = tables[host.role](host, shared, own) | {"regions": _regions(shared.description)}
    http = shared.place.address(host, "http")
    return {
        "node": {"id": str(host), "region": host.region, "http": http},
        "log": {"format": "json"},
        host.role: _over(role, shared.sets.get(host.role, {})),
    }


def _over(table: Table, changes: Table) -> Table:
    """Return `table` with `changes`, tables within tables included."""
    return table | {
        name: _over(table.get(name, {}), value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }


def _regions(description: Description) -> Table:
    return {"names": description.names, "im": description.im, "rooms": description.rooms}


def _mesh(host: Host, shared: Shared) -> Table:
    relays = [shared.place.dialled(relay, host.region) for relay in shared.relays[host.region]]
    return {"relays": relays, "tls": shared.tls[host.role]}


def _bus(own: Own) -> Table:
    return {"kind": "redis", "url": own.store_url}


def _access(host: Host, shared: Shared, own: Own) -> Table:
    address, _, port = shared.place.address(host, "websocket").rpartition(":")
    return {
        "edge": {"host": address, "port": int(port)},
        "pool": POOL if shared.description.is_dedicated(host) else "",
        "tokens": {"secret": shared.token_secret},
        "mesh": _mesh(host, shared),
        "store": {"url": own.store_url},
    }


def _relay(host: Host, shared: Shared, own: Own) -> Table:
    lanes = [shared.place.address(host, lane) for lane in LANES]
    others = [name for name in shared.description.names if name != host.region]
    return {
        "listen": three_urls(lanes),
        "tls": shared.tls["relay"],
        "store_url": own.store_url,
        "bus": _bus(own),
        "links": [_link(region, host, shared) for region in others],
    }


def _link(region: str, host: Host, shared: Shared) -> Table:
    relays = [shared.place.dialled(relay, host.region) for relay in shared.relays[region]]
    return {"region": region, "relays": relays}


def _router(host: Host, shared: Shared, own: Own) -> Table:
    return {
        "mesh": _mesh(host, shared),
        "store": {"url": own.store_url},
        "bus": _bus(own),
        "tokens": {"secret": shared.token_secret},
        "provisioner": {"kind": "static", "pools": [POOL]},
    }


def _logic(host: Host, shared: Shared, own: Own) -> Table:
    return {
        "mesh": _mesh(host, shared),
        "store": {"url": own.store_url},
        "bus": _bus(own),
        "database": {"url": own.database_url},
        "receipts": {"secret": shared.receipt_secret},
    }
