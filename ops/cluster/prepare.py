"""From options to a cluster that is decided in every part, and checked, before anything starts."""

import os
from collections.abc import Mapping
from pathlib import Path

from backends.redis.server import Redis
from ops.certs.folder import Folder
from ops.cluster.broker import require_broker, require_client
from ops.cluster.certificates import prepare_certificates
from ops.cluster.free_ports import require_free_ports
from ops.cluster.node_tables import Shared, node_tables
from ops.cluster.options import UpOptions
from ops.cluster.plan import Node
from ops.cluster.redis_server import find_server, prepare
from ops.cluster.run import Cluster
from ops.cluster.state_dir import StateDir
from ops.config.load import complete, from_sources
from ops.config.schema import role_names
from ops.config.sources import from_flags
from ops.config.toml import document
from ops.errors import Refusal
from ops.workers.plan import count_of

OF_ONE_NODE = ("RELAYMESH_NODE__ID", "RELAYMESH_NODE__HTTP")


def prepare_cluster(options: UpOptions) -> Cluster:
    """Hold the state folder and return the cluster; raises `Refusal` or `Failure` with one line."""
    plan = options.plan()
    _require_shared_environment(os.environ)
    _require_known_tables(options.flags)
    server = find_server(options.redis_server)
    if options.bus == "rocketmq":
        require_broker(options.bus_url)
        require_client()
    state = StateDir(options.state_dir)
    state.take()
    require_free_ports(plan)
    nodes = (*plan.nodes, *plan.dedicated)
    prepare_certificates(Folder(state.folder("certs")), nodes)
    redis = _redis(options, server, state)
    shared = Shared.of(options, plan, state, redis)
    configs = {node.id: _write_config(node, shared, state, options) for node in nodes}
    return Cluster(plan, state, redis, configs, options)


def _redis(options: UpOptions, server: Path, state: StateDir) -> tuple[Redis, ...]:
    secrets = state.secrets()
    names = ["store", "bus"] if options.bus == "redis" else ["store"]
    return tuple(
        prepare(server, f"redis-{name}", state, secrets[f"{name}_password"]) for name in names
    )


def _write_config(node: Node, shared: Shared, state: StateDir, options: UpOptions) -> Path:
    tables = node_tables(node, shared)
    name = f"{node.id}.toml"
    flags = options.flags_for(node.role)
    config = complete(node.role, from_sources(node.role, tables, name, os.environ, flags))
    if count_of(config) > 1:
        raise Refusal(f"{node.role}.workers: expected 1 in a local cluster; use --{node.role} N")
    return state.write_config(name, document(tables))


def _require_shared_environment(environment: Mapping[str, str]) -> None:
    for name in OF_ONE_NODE:
        if name in environment:
            raise Refusal(f"{name} is for one node alone: unset it for a whole cluster")


def _require_known_tables(flags: tuple[str, ...]) -> None:
    for path in from_flags(flags):
        if path[0] not in role_names():
            known = ", ".join(sorted(role_names()))
            raise Refusal(f"--set {'.'.join(path)}: unknown table {path[0]}; known are {known}")
