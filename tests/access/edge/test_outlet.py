"""What a slow client gets, in which order, and what is left out for it."""

import json
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from access.edge.frames import encode_text
from access.edge.interface import Batch, Skipped
from access.edge.outlet import Outlet
from proto.priorities import Priority

URGENT, NORMAL, BULK = Priority


def tell(skipped: Skipped) -> bytes:
    who = [skipped.stream, skipped.epoch, skipped.priority.label]
    return json.dumps(["skipped", *who, skipped.first_seq, skipped.last_seq]).encode()


def a_round(priority: Priority, first: int, last: int | None = None, room: str = "r") -> Batch:
    last = first if last is None else last
    message = json.dumps(["round", room, "e", priority.label, first, last, "x" * 100]).encode()
    return Batch(message, priority, room, "e", first, last)


def push(outlet: Outlet, batch: Batch) -> bool:
    return outlet.push(encode_text(batch.message), batch.priority, batch)


def drain(outlet: Outlet, step: int = 1 << 20) -> list[list[object]]:
    """Write all of it in pieces of `step` bytes, and return what a client reads of it."""
    written = b""
    while head := outlet.head():
        outlet.written(head, min(step, len(head)))
        written += head[:step]
    return texts(written)


def texts(written: bytes) -> list[list[object]]:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(written)
    parts = [e.data + "\0" * e.message_finished for e in client.events() if type(e) is TextMessage]
    return [json.loads(text) for text in "".join(parts).split("\0")[:-1]]


def test_the_cut_rest_goes_first_then_by_priority() -> None:
    outlet = Outlet(10_000, tell, 0.0)
    cut = encode_text(b'["begun"]')
    outlet.cut(cut[4:])
    for batch in (a_round(BULK, 1), a_round(NORMAL, 1), a_round(URGENT, 1), a_round(URGENT, 2)):
        assert push(outlet, batch)
    written = cut[:4]
    while head := outlet.head():
        outlet.written(head, min(3, len(head)))
        written += head[:3]
    order = [text[0] if len(text) == 1 else (text[3], text[4]) for text in texts(written)]
    assert order == ["begun", ("urgent", 1), ("urgent", 2), ("normal", 1), ("bulk", 1)]
    assert outlet.queued_bytes == 0


def test_bulk_is_thinned_oldest_first_then_normal_and_both_are_told() -> None:
    outlet = Outlet(1000, tell, 0.0)
    for number in range(1, 4):
        assert push(outlet, a_round(BULK, 2 * number - 1, 2 * number))
        assert push(outlet, a_round(NORMAL, number))
    for number in range(1, 5):
        assert push(outlet, a_round(URGENT, number))
    got = drain(outlet)
    assert [text[4] for text in got[:4]] == [1, 2, 3, 4]
    assert ["skipped", "r", "e", "bulk", 1, 6] in got
    normal = [text for text in got if text[3] == "normal"]
    assert normal[0][0] == "skipped"
    assert [text[4] for text in normal[1:]] == [3]
    assert outlet.thinned == [0, 2, 6]


def test_replies_are_never_thinned_and_close_when_only_they_are_left() -> None:
    outlet = Outlet(1000, tell, 0.0)
    for number in range(3):
        assert push(outlet, a_round(NORMAL, number))
    assert outlet.push(b"r" * 820, BULK)
    assert outlet.thinned[NORMAL] == 3
    assert not outlet.push(b"r" * 100, BULK)


def test_urgent_rounds_are_never_thinned() -> None:
    outlet = Outlet(500, tell, 0.0)
    fits = [push(outlet, a_round(URGENT, number)) for number in range(5)]
    assert fits == [True, True, True, False, False]
    assert outlet.thinned == [0, 0, 0]


def test_for_a_close_only_the_cut_frame_is_kept() -> None:
    outlet = Outlet(500, tell, 0.0)
    outlet.cut(b"rest")
    push(outlet, a_round(NORMAL, 1))
    outlet.keep_only_rest()
    outlet.push(b"close", BULK)
    assert (outlet.head(), outlet.queued_bytes) == (b"rest", 9)
    outlet.written(b"rest", 4)
    assert outlet.head() == b"close"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([NORMAL, BULK, BULK]), st.sampled_from("ab"), st.integers(1, 3)),
        st.integers(1, 400),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(STEPS)
def test_each_message_is_delivered_or_told_as_skipped_in_its_place(
    steps: list[tuple[Priority, str, int] | int],
) -> None:
    outlet, written = Outlet(900, tell, 0.0), b""
    heads: dict[tuple[str, Priority], int] = defaultdict(int)
    for step in steps:
        if isinstance(step, int):
            head = outlet.head()
            outlet.written(head, min(step, len(head)))
            written += head[:step]
        else:
            priority, room, messages = step
            first = heads[room, priority] + 1
            heads[room, priority] += messages
            batch = a_round(priority, first, heads[room, priority], room)
            assert push(outlet, batch)
        assert outlet.queued_bytes <= 900
    while head := outlet.head():
        outlet.written(head, len(head))
        written += head
    seen: dict[tuple[object, object], int] = defaultdict(int)
    for text in texts(written):
        first_seq, last_seq = text[4], text[5]
        assert isinstance(last_seq, int)
        assert first_seq == seen[text[1], text[3]] + 1
        seen[text[1], text[3]] = last_seq
    assert seen == {(room, priority.label): head for (room, priority), head in heads.items()}
