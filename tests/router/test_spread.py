from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from backends.routes.interface import Route
from proto.envelopes import BATCH_START, MAX_HEADER_BYTES, Kind, split
from proto.headers import decode_spread, decode_users, encode_header
from proto.records import Record, RecordHeader
from proto.rendezvous import ranked
from router import envelopes
from router.spread import (
    by_relay,
    packed_bytes,
    packed_number_bytes,
    split_nodes,
    split_uids,
)
from tests.router.parts import users_record

UIDS = st.text(alphabet="abcXYZ019_.:@-", min_size=1, max_size=64)
NODES = st.sampled_from([f"access-{number}" for number in range(6)])
ROUTES = st.builds(Route, NODES, st.sampled_from(["old", "new"]), st.integers(0, 3))
LIVING = {f"access-{number}": "new" for number in range(5)}
RELAYS = ["relay-1", "relay-2", "relay-3"]


def _carrier(node: str) -> str:
    return ranked(node, RELAYS)[0]


@given(st.dictionaries(UIDS, st.lists(ROUTES, max_size=4), max_size=30))
def test_everybody_with_a_living_route_is_told_once_on_each_node(
    routes: dict[str, list[Route]],
) -> None:
    relays = by_relay(list(routes), list(routes.values()), LIVING, _carrier)
    told = Counter(
        (uid, node) for nodes in relays.values() for node, uids in nodes.items() for uid in uids
    )
    expected = {
        (uid, route.node)
        for uid, its_routes in routes.items()
        for route in its_routes
        if LIVING.get(route.node) == route.incarnation
    }
    assert told == Counter(expected)
    assert all(_carrier(node) == relay for relay, nodes in relays.items() for node in nodes)


@given(st.lists(UIDS, max_size=300), st.integers(100, 2000))
def test_split_uids_keeps_all_in_order_within_the_limit(uids: list[str], limit: int) -> None:
    parts = list(split_uids(uids, limit))
    assert [uid for part in parts for uid in part] == uids
    assert all(part and len(encode_header(part)) <= limit for part in parts)


@given(st.dictionaries(NODES, st.lists(UIDS, min_size=1, max_size=50)), st.integers(200, 2000))
def test_split_nodes_leaves_nobody_out_and_tells_nobody_twice(
    nodes: dict[str, list[str]], limit: int
) -> None:
    parts = list(split_nodes(nodes, limit))
    joined: dict[str, list[str]] = {}
    for part in parts:
        assert len(encode_header(part)) <= limit
        for node, uids in part.items():
            joined.setdefault(node, []).extend(uids)
    assert joined == nodes


@given(UIDS)
def test_packed_bytes_are_those_of_messagepack(uid: str) -> None:
    assert packed_bytes(uid) == len(encode_header(uid))


def test_a_full_record_leaves_as_envelopes_within_the_headers_limit() -> None:
    uids = [f"{number:064d}" for number in range(1000)]
    record = users_record("r" * 60, uids)
    everyone = [*split(BATCH_START + b"".join(envelopes.to_everyone(record)))]
    nodes = {f"access-{n}": uids[n::10] for n in range(10)}
    spread = [*split(BATCH_START + b"".join(envelopes.to_nodes(record, nodes)))]

    assert len(everyone) == len(spread) == 2
    assert {Kind(e.kind) for e in everyone} == {Kind.USERS}
    assert {Kind(e.kind) for e in spread} == {Kind.SPREAD}
    assert all(len(e.header) <= MAX_HEADER_BYTES for e in (*everyone, *spread))
    assert [uid for e in everyone for uid in decode_users(e.header).uids] == uids
    told = [u for e in spread for its in decode_spread(e.header).nodes.values() for u in its]
    assert sorted(told) == uids


def test_a_uid_named_twice_is_told_once() -> None:
    (only,) = envelopes.to_everyone(users_record("r", ["ann", "bob", "ann"]))
    (envelope,) = split(BATCH_START + only)
    assert decode_users(envelope.header).uids == ["ann", "bob"]


@given(st.integers(0, 2**63 - 1))
def test_packed_number_bytes_are_those_of_messagepack(number: int) -> None:
    assert packed_number_bytes(number) == len(encode_header(number))


@given(st.dictionaries(UIDS, st.integers(1, 2**53), max_size=200), st.integers(100, 2000))
def test_numbers_count_towards_the_limit(numbers: dict[str, int], limit: int) -> None:
    parts = list(split_uids(list(numbers), limit, numbers))
    assert [uid for part in parts for uid in part] == list(numbers)
    lists = [(part, [numbers[uid] for uid in part]) for part in parts]
    assert all(len(encode_header(both)) <= limit + 1 for both in lists)


@given(st.dictionaries(NODES, st.sets(UIDS, min_size=1, max_size=30)), st.integers(300, 2000))
def test_numbers_by_node_count_towards_the_limit(nodes: dict[str, set[str]], limit: int) -> None:
    numbers = {uid: len(uid) * 1000 for uids in nodes.values() for uid in uids}
    parts = list(split_nodes({node: sorted(uids) for node, uids in nodes.items()}, limit, numbers))
    told = Counter((node, uid) for part in parts for node, its in part.items() for uid in its)
    assert told == Counter((node, uid) for node, uids in nodes.items() for uid in uids)
    for part in parts:
        seqs = {node: [numbers[uid] for uid in uids] for node, uids in part.items()}
        assert len(encode_header((part, seqs))) <= limit + 1


def _mailbox_record(numbers: dict[str, int]) -> Record:
    header = RecordHeader(
        id="g:one/7/0",
        kind="users",
        ts_ms=1,
        priority="normal",
        uids=tuple(numbers),
        seqs=tuple(numbers.values()),
    )
    return Record(header, b'{"push":"message"}')


def test_each_receiver_has_its_own_number_whichever_way_it_is_told() -> None:
    numbers = {f"user-{number:059d}": number * 1000 + 1 for number in range(1000)}
    record = _mailbox_record(numbers)
    everyone = [*split(BATCH_START + b"".join(envelopes.to_everyone(record)))]
    nodes = {f"access-{n}": list(numbers)[n::10] for n in range(10)}
    spread = [*split(BATCH_START + b"".join(envelopes.to_nodes(record, nodes)))]

    assert all(len(e.header) <= MAX_HEADER_BYTES for e in (*everyone, *spread))
    headers = [decode_users(e.header) for e in everyone]
    assert {u: n for h in headers for u, n in zip(h.uids, h.seqs, strict=True)} == numbers
    parts = [decode_spread(e.header) for e in spread]
    told = {
        uid: n
        for part in parts
        for node, uids in part.nodes.items()
        for uid, n in zip(uids, part.seqs[node], strict=True)
    }
    assert told == numbers
