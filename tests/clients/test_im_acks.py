"""When the server is told what was taken: gathered, spaced, and only of what it has sent."""

from relaymesh_client.im.acks import MAX_RANGES, MERGE_MESSAGES, MERGE_S, SPACING_S, Acks

MAILBOX = "mailbox"


def open_acks(*streams: str) -> Acks:
    acks = Acks()
    for stream in streams or (MAILBOX,):
        acks.begin(stream, 0)
        acks.opened({stream: 0})
        acks.due(MERGE_S, {})
    return acks


def give(acks: Acks, n: int, now: float, stream: str = MAILBOX) -> None:
    acks.received(stream, n, now, again=False)
    acks.delivered(stream, n, now, shown=True)


def test_what_is_taken_within_a_moment_is_said_at_once() -> None:
    acks = open_acks()
    for n in (1, 2, 3):
        give(acks, n, 1.0)
        acks.take(MAILBOX, n, 1.0)
    assert acks.next_due() == 1.0 + MERGE_S
    assert acks.due(1.0, {}) == []
    assert acks.due(1.0 + MERGE_S, {}) == [{"op": "ack", "stream": MAILBOX, "n": 3}]
    assert acks.next_due() is None


def test_many_do_not_wait() -> None:
    acks = open_acks()
    for n in range(1, MERGE_MESSAGES + 1):
        give(acks, n, 1.0)
    acks.take_all(1.0)
    assert acks.due(1.0, {}) == [{"op": "ack", "stream": MAILBOX, "n": MERGE_MESSAGES}]


def test_streams_take_turns() -> None:
    acks = open_acks(MAILBOX, "hot:g:1")
    give(acks, 1, 1.0)
    give(acks, 1, 1.0, "hot:g:1")
    acks.take_all(1.0)
    now = 1.0 + MERGE_S
    assert [each["stream"] for each in acks.due(now, {})] == [MAILBOX]
    assert acks.due(now, {}) == []
    assert acks.next_due() == now + SPACING_S
    assert [each["stream"] for each in acks.due(now + SPACING_S, {})] == ["hot:g:1"]


def test_what_is_taken_out_of_order_or_held_is_said_in_ranges() -> None:
    acks = open_acks()
    for n in range(1, 6):
        give(acks, n, 1.0)
    for n in (1, 3, 4):
        acks.take(MAILBOX, n, 1.0)
    acks.received(MAILBOX, 8, 1.0, again=False)
    assert acks.taken() == {MAILBOX: 1}
    assert acks.owed == 4
    (ack,) = acks.due(2.0, {MAILBOX: [(7, 9)]})
    assert ack == {"op": "ack", "stream": MAILBOX, "n": 1, "also": [[3, 4], [7, 8]]}


def test_ranges_are_bounded() -> None:
    acks = open_acks()
    acks.received(MAILBOX, 200, 1.0, again=False)
    (ack,) = acks.due(2.0, {MAILBOX: [(n, n) for n in range(2, 200, 2)]})
    assert len(ack["also"]) == MAX_RANGES


def test_only_what_the_connection_has_sent_is_said() -> None:
    acks = open_acks()
    for n in (1, 2, 3):
        give(acks, n, 1.0)
    acks.closed()
    acks.opened({MAILBOX: 1})
    acks.take_all(2.0)
    assert acks.due(3.0, {}) == [{"op": "ack", "stream": MAILBOX, "n": 1}]
    acks.received(MAILBOX, 2, 4.0, again=True)
    assert acks.due(5.0, {}) == [{"op": "ack", "stream": MAILBOX, "n": 2}]


def test_what_comes_again_is_acknowledged_again() -> None:
    acks = open_acks()
    give(acks, 1, 1.0)
    acks.take_all(1.0)
    expected = [{"op": "ack", "stream": MAILBOX, "n": 1}]
    assert acks.due(2.0, {}) == expected
    acks.received(MAILBOX, 1, 3.0, again=True)
    assert acks.due(4.0, {}) == expected
