"""Receivers in groups: who is told over which relay on which node, within the header's limit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from backends.routes.interface import Route

Nodes = dict[str, list[str]]
"""The uids to be told on each node."""

Numbers = Mapping[str, int]
"""The message's number in each receiver's mailbox; empty where it is for no mailbox."""

NO_NUMBERS: Numbers = MappingProxyType({})

_SHORT_TEXT = 31
_LIST_BYTES = 5
"""The longest start of a MessagePack list."""
_NUMBERS = ((1 << 7, 1), (1 << 8, 2), (1 << 16, 3), (1 << 32, 5))
"""Below which MessagePack takes so many bytes for a whole number."""
_LONG_NUMBER_BYTES = 9


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


def split_uids(
    uids: Sequence[str], limit_bytes: int, numbers: Numbers = NO_NUMBERS
) -> Iterator[list[str]]:
    """Yield `uids` in lists that take at most `limit_bytes` packed, in order, with the lists of
    their `numbers` where there are any."""
    start = _LIST_BYTES * _lists(numbers)
    part: list[str] = []
    used = start
    for uid in uids:
        size = _receiver_bytes(uid, numbers)
        if part and used + size > limit_bytes:
            yield part
            part, used = [], start
        part.append(uid)
        used += size
    if part:
        yield part


def split_nodes(
    nodes: Mapping[str, Sequence[str]], limit_bytes: int, numbers: Numbers = NO_NUMBERS
) -> Iterator[Nodes]:
    """Yield `nodes` in parts that take at most `limit_bytes` packed, as `split_uids`; a node may be
    in several."""
    start = _LIST_BYTES * _lists(numbers)
    part: Nodes = {}
    used = start
    for node, uid in ((node, uid) for node, its_uids in nodes.items() for uid in its_uids):
        size = _receiver_bytes(uid, numbers)
        node_bytes = _lists(numbers) * (packed_bytes(node) + _LIST_BYTES)
        if part and used + size + (node not in part) * node_bytes > limit_bytes:
            yield part
            part, used = {}, start
        used += size + (node not in part) * node_bytes
        part.setdefault(node, []).append(uid)
    if part:
        yield part


def packed_bytes(text: str) -> int:
    """Return the bytes of `text` (at most 255 bytes of UTF-8) in MessagePack."""
    size = len(text.encode())
    return size + (1 if size <= _SHORT_TEXT else 2)


def packed_number_bytes(number: int) -> int:
    """Return the bytes of `number`, not negative, in MessagePack."""
    return next((size for bound, size in _NUMBERS if number < bound), _LONG_NUMBER_BYTES)


def _lists(numbers: Numbers) -> int:
    """Return how many lists name receivers: their uids, and where there are any their numbers."""
    return 2 if numbers else 1


def _receiver_bytes(uid: str, numbers: Numbers) -> int:
    return packed_bytes(uid) + (packed_number_bytes(numbers[uid]) if numbers else 0)


def _by_node(
    uids: Sequence[str], routes: Sequence[Sequence[Route]], incarnations: Mapping[str, str]
) -> Nodes:
    nodes: dict[str, dict[str, None]] = {}
    for uid, its_routes in zip(uids, routes, strict=True):
        for route in its_routes:
            if incarnations.get(route.node) == route.incarnation:
                nodes.setdefault(route.node, {})[uid] = None
    return {node: list(its_uids) for node, its_uids in nodes.items()}
