"""Nodes of each role as a process has them, with a store and without anybody else."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from backends.links.memory import MemoryNetwork
from mesh.node import MeshNode
from mesh.settings import MeshSettings
from ops.config.load import NodeConfig, complete, from_sources
from ops.roles import run_of
from proto.identity import NodeIdentity
from relay.relay import Relay
from relay.service import RelayService
from relay.settings import Settings as RelaySettings
from tests.ops.reload.files import pem

SECRET, PREVIOUS = "s" * 32, "p" * 32
NOWHERE, RELAY = "tcp://127.0.0.1:9", "tcp://relay:10"

Data = dict[str, Any]
"""A config file's tables."""


def data_of(role: str, folder: Path, redis: str, database: str) -> Data:
    """A config that says something of all that can be changed only where there is something."""
    tokens = {"secret": SECRET, "previous_secret": PREVIOUS, "key_files": [pem(folder, "first")]}
    region = {"names": ["local", "eu"], "im": "local"}
    webhook = {"url": "http://127.0.0.1:9/", "secret": SECRET}
    nearly = {"mesh": {"relays": [NOWHERE]}, "store": {"url": redis}}
    own: Data = {
        "access": {**nearly, "tokens": tokens, "edge": {"port": 0}},
        "relay": {
            "listen": RELAY,
            "regions": region,
            "links": [{"region": "eu", "relays": [NOWHERE]}],
        },
        "router": {
            **nearly,
            "tokens": tokens,
            "bus": {"url": redis},
            "provisioner": {"kind": "webhook", **webhook},
        },
        "logic": {
            **nearly,
            "bus": {"url": redis},
            "database": {"url": database},
            "receipts": tokens,
            "push": {"webhook": webhook},
            "auth": {"kind": "accounts", "secret": SECRET},
        },
    }
    return {role: own[role]}


def config_of(role: str, data: Data) -> NodeConfig:
    return complete(role, from_sources(role, data, "node.toml", {}))


@asynccontextmanager
async def process(config: NodeConfig) -> AsyncIterator[Any]:
    """A node of `config` as ops runs it; gives its service."""
    identity = NodeIdentity(node=f"{config.role}-1", region="local", incarnation="i1")
    run = partial(run_of(config.role), config.own, identity, stopping=trio.Event())
    async with trio.open_nursery() as nursery:
        yield await nursery.start(run)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def relay_with_a_node(config: NodeConfig) -> AsyncIterator[Any]:
    """A relay, and a node that it holds something for."""
    network, settings = MemoryNetwork(), config.own
    assert isinstance(settings, RelaySettings)
    relay = Relay(settings, NodeIdentity(node="relay-1", region="local", incarnation="i1"), network)
    mesh = MeshSettings(relays=[RELAY])
    node = MeshNode(
        NodeIdentity(node="access-1", region="local", incarnation="i1"),
        "access",
        mesh,
        network,
        lambda *_: None,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay.run)
        nursery.start_soon(node.run)
        while not node.up:
            await trio.sleep(0.001)
        yield RelayService(relay)
        nursery.cancel_scope.cancel()


RUNNING: dict[str, Callable[[NodeConfig], AbstractAsyncContextManager[Any]]] = {
    "access": process,
    "relay": relay_with_a_node,
    "router": process,
    "logic": process,
}
