"""Rendezvous hashing, ids, priorities and headers."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto import headers, services
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.ids import is_node, is_room, is_uid, new_id
from proto.priorities import LABELS, Priority
from proto.rendezvous import carrier, ranked, weight
from proto.topics import Topic

RELAYS = st.sets(st.text("abcdefgh-123", min_size=1), min_size=1, max_size=8)


@given(st.text(), RELAYS)
def test_the_carrier_is_the_first_in_rank_whatever_the_order(key: str, relays: set[str]) -> None:
    order = ranked(key, relays)
    assert sorted(order) == sorted(relays)
    assert carrier(key, relays) == order[0]
    assert ranked(key, sorted(relays, reverse=True)) == order


@given(st.text(), RELAYS)
def test_when_a_relay_goes_only_what_it_carried_moves(key: str, relays: set[str]) -> None:
    order = ranked(key, relays)
    for gone in relays:
        assert ranked(key, relays - {gone}) == [relay for relay in order if relay != gone]


def test_rooms_are_spread_and_the_hash_is_the_same_for_ever() -> None:
    relays = [f"relay-{number}" for number in range(4)]
    counts = dict.fromkeys(relays, 0)
    for number in range(4000):
        counts[str(carrier(f"room-{number}", relays))] += 1
    assert all(850 < count < 1150 for count in counts.values())
    assert carrier("lobby", []) is None
    assert weight("lobby", "relay-1").hex() == "4f153f0c40b12ec5"


@given(st.integers(0, 2**64 - 1))
def test_ids_are_names_that_every_pattern_takes(seed: int) -> None:
    made = new_id(random.Random(seed).getrandbits)
    assert is_node(made)
    assert is_room(made)
    assert is_uid(made)
    assert int(made, 16) == random.Random(seed).getrandbits(64)


@pytest.mark.parametrize("name", ["", "a\n", "a b", "x" * 65, "ä", "a/b"])
def test_bad_names_are_none(name: str) -> None:
    assert not is_room(name)
    assert not is_uid(name)
    assert not is_node(name)


def test_priorities_have_labels_and_topics() -> None:
    assert [Priority.of(label) for label in LABELS] == list(Priority)
    assert [Topic.of(priority).value for priority in Priority] == list(LABELS)
    with pytest.raises(KeyError):
        Priority.of("loud")


def test_headers_are_read_as_they_were_written() -> None:
    room = headers.RoomHeader("e", 5, 6, "t")
    assert headers.decode_room(headers.encode_header(room)) == room
    request = headers.RequestHeader(1, "a", "i", "publish", 500, room="r", uid="u")
    assert headers.decode_request(headers.encode_header(request)) == request
    reply = headers.ReplyHeader(1, "i", ErrorBody(ErrorCode.TIMEOUT, "late"))
    assert headers.decode_reply(headers.encode_header(reply)) == reply


def test_heads_of_a_node_that_knows_no_totals_are_read() -> None:
    old = msgspec.msgpack.encode(["e", [1, 2, 3]])
    assert headers.decode_heads(old) == headers.HeadsHeader("e", (1, 2, 3))


@pytest.mark.parametrize("bad", [b"", b"\xc1", b"\x90", b"\x92\x01\x02"])
def test_headers_that_cannot_be_read_raise_one_kind_of_error(bad: bytes) -> None:
    for decode in (headers.decode_room, headers.decode_users, headers.decode_request):
        with pytest.raises(msgspec.MsgspecError):
            decode(bad)


def test_only_what_may_say_something_twice_is_not_idempotent() -> None:
    assert {method for method in services.Method if not method.idempotent} == {
        services.Method.PUBLISH,
        services.Method.PUSH,
        services.Method.MODERATE,
        services.Method.AUTH,
    }


def test_an_error_crosses_the_mesh_unchanged() -> None:
    error = RequestError(ErrorCode.RATE_LIMITED, "wait", field="op", retry_after_ms=9)
    again = RequestError.from_body(error.body)
    assert again.body == error.body
    assert str(again) == "rate_limited: wait"
