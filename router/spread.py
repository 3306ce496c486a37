"""Receivers in groups: who is told over which relay on which node, within the header's limit."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from backends.routes.interface import Route

Nodes = dict[str, list[str]]
"""The uids to be told on each node."""

_SHORT_TEXT = 31
_LIST_BYTES = 5
"""The longest start of a MessagePack list."""


def by_relay(
    uids: Sequence[str],
    routes: Sequence[Sequence[Route]],
    incarnations: Mapping[str, str],
    carrier_of: Callable[[str], str],
) -> dict[str, Nodes]:
    """Return, for each relay, the nodes that it carries and the uids to be told there.

    A route counts only if its node lives in that incarnation (`incarnations`: node to incarnation
    of the leases that run). A uid with several connections on a node is named once there.
    """
    relays: dict[str, Nodes] = {}
    for node, its_uids in _by_node(uids, routes, incarnations).items():
        relays.setdefault(carrier_of(node), {})[node] = its_uids
    return relays


def split_uids(uids: Sequence[str], limit_bytes: int) -> Iterator[list[str]]:
    """Yield `uids` in lists that take at most `limit_bytes` packed, in order."""
    part: list[str] = []
    used = _LIST_BYTES
    for uid in uids:
        size = packed_bytes(uid)
        if part and used + size > limit_bytes:
            yield part
            part, used = [], _LIST_BYTES
        part.append(uid)
        used += size
    if part:
        yield part


def split_nodes(nodes: Mapping[str, Sequence[str]], limit_bytes: int) -> Iterator[Nodes]:
    """Yield `nodes` in parts that take at most `limit_bytes` packed; a node may be in several."""
    part: Nodes = {}
    used = _LIST_BYTES
    for node, uid in ((node, uid) for node, its_uids in nodes.items() for uid in its_uids):
        size = _added_bytes(part, node, uid)
        if part and used + size > limit_bytes:
            yield part
            part, used = {}, _LIST_BYTES
            size = _added_bytes(part, node, uid)
        part.setdefault(node, []).append(uid)
        used += size
    if part:
        yield part


def packed_bytes(text: str) -> int:
    """Return the bytes of `text` (at most 255 bytes of UTF-8) in MessagePack."""
    size = len(text.encode())
    return size + (1 if size <= _SHORT_TEXT else 2)


def _added_bytes(part: Nodes, node: str, uid: str) -> int:
    return packed_bytes(uid) + (0 if node in part else packed_bytes(node) + _LIST_BYTES)


def _by_node(
    uids: Sequence[str], routes: Sequence[Sequence[Route]], incarnations: Mapping[str, str]
) -> Nodes:
    nodes: dict[str, dict[str, None]] = {}
    for uid, its_routes in zip(uids, routes, strict=True):
        for route in its_routes:
            if incarnations.get(route.node) == route.incarnation:
                nodes.setdefault(route.node, {})[uid] = None
    return {node: list(its_uids) for node, its_uids in nodes.items()}
