import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.client_requests import (
    MAX_SEQ,
    Chat,
    Fetch,
    Gift,
    Hello,
    Join,
    JoinSpec,
    Leave,
    Like,
    Ping,
    Position,
    Request,
    Speech,
    parse,
    parse_publish,
    request_id,
)
from proto.errors import ErrorCode, RequestError

GOOD: list[tuple[dict[str, Any], Request]] = [
    ({"op": "hello", "token": "t"}, Hello(id=1, token="t")),
    (
        {"op": "hello", "token": "t", "client": "c/1", "join": [{"room": "r", "history": 3}]},
        Hello(id=1, token="t", client="c/1", join=[JoinSpec(room="r", history=3)]),
    ),
    (
        {"op": "join", "room": "r", "since": {"bulk": {"epoch": "e", "seq": 4}}},
        Join(id=1, room="r", since={"bulk": Position("e", 4)}),
    ),
    ({"op": "leave", "room": "r"}, Leave(id=1, room="r")),
    ({"op": "chat", "room": "r", "text": "x"}, Chat(id=1, room="r", text="x")),
    (
        {"op": "speech", "room": "r", "text": "x", "mid": "m"},
        Speech(id=1, room="r", text="x", mid="m"),
    ),
    (
        {"op": "gift", "room": "r", "gift": "rose", "value": 0},
        Gift(id=1, room="r", gift="rose", value=0),
    ),
    ({"op": "like", "room": "r"}, Like(id=1, room="r", count=1)),
    (
        {"op": "fetch", "room": "r", "priority": "bulk", "epoch": "e", "from": 1, "to": 2},
        Fetch(id=1, room="r", priority="bulk", epoch="e", first_seq=1, last_seq=2),
    ),
    ({"op": "ping"}, Ping(id=1)),
]
REQUIRED = {
    "hello": ["token"],
    "join": ["room"],
    "leave": ["room"],
    "chat": ["room", "text"],
    "speech": ["room", "text"],
    "gift": ["room", "gift", "value"],
    "like": ["room"],
    "fetch": ["room", "priority", "epoch", "from", "to"],
    "ping": [],
}
WRONG: list[tuple[str, str, Any]] = [
    ("hello", "token", ""),
    ("hello", "token", "x" * 4097),
    ("hello", "client", "x" * 65),
    ("hello", "join", [{"room": "r"}] * 21),
    ("join", "room", ""),
    ("join", "room", "a/b"),
    ("join", "room", "x" * 65),
    ("join", "room", None),
    ("join", "history", -1),
    ("join", "history", 101),
    ("chat", "text", "x" * 2001),
    ("chat", "mid", "x" * 65),
    ("chat", "mid", "a\n"),
    ("speech", "text", ["x"]),
    ("gift", "value", 1_000_001),
    ("gift", "value", True),
    ("gift", "count", 0),
    ("gift", "count", 1001),
    ("gift", "gift", "a rose"),
    ("like", "count", 0),
    ("like", "count", -1),
    ("like", "count", 10**12),
    ("fetch", "priority", "loud"),
    ("fetch", "from", -1),
    ("fetch", "to", MAX_SEQ + 1),
    ("fetch", "epoch", "x" * 33),
]


def example(op: str) -> dict[str, Any]:
    return next({"id": 1, **fields} for fields, _ in GOOD if fields["op"] == op)


def error_of(frame: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(json.dumps(frame).encode())
    return caught.value


@pytest.mark.parametrize(("fields", "expected"), GOOD)
def test_good_requests_are_read(fields: dict[str, Any], expected: Request) -> None:
    assert parse(json.dumps({"id": 1, **fields}).encode()) == expected


@pytest.mark.parametrize(("op", "field"), [(op, f) for op, fs in REQUIRED.items() for f in fs])
def test_a_missing_field_is_named(op: str, field: str) -> None:
    frame = example(op)
    del frame[field]
    error = error_of(frame)
    assert (error.body.code, error.body.field) == (ErrorCode.BAD_FRAME, field)


@pytest.mark.parametrize("op", REQUIRED)
def test_a_missing_id_and_an_unknown_field_are_named(op: str) -> None:
    frame = example(op)
    assert error_of({**frame, "sudo": 1}).body.field == "sudo"
    del frame["id"]
    assert error_of(frame).body.field == "id"


@pytest.mark.parametrize(("op", "field", "value"), WRONG)
def test_a_wrong_value_is_named(op: str, field: str, value: object) -> None:
    body = error_of({**example(op), field: value}).body
    assert (body.code, body.field) == (ErrorCode.BAD_FRAME, field)
    assert body.message.startswith(f"{field}: ")


def test_a_field_inside_a_list_is_named_with_its_path() -> None:
    specs = [{"room": "a"}, {"room": "b", "histroy": 1}]
    body = error_of({**example("hello"), "join": specs}).body
    assert body.field == "join[1].histroy"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'{"op":"ping","id":1}x', b"[" * 100_000, b"null", b"[{}]", b'"x"']
)
def test_what_is_no_json_object_says_so(text: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert caught.value.body.code is ErrorCode.BAD_JSON


def test_an_unknown_op_is_told_with_those_that_there_are() -> None:
    body = error_of({"op": "dance", "id": 1}).body
    assert body.code is ErrorCode.UNKNOWN_OP
    assert "chat" in body.message


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_no_json_value_does_more_than_be_refused(value: object) -> None:
    try:
        text = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    with pytest.raises(RequestError):
        parse(text)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(text: bytes) -> None:
    with pytest.raises(RequestError):
        parse(text)
    request_id(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"id":7,"op":"nonsense"}', 7),
        (b'{"op":1,"id":0}', 0),
        (b'{"id":-1}', None),
        (b'{"id":"7"}', None),
        (b'{"id":9007199254740992}', None),
        (b"{}", None),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_id_of_a_bad_frame_is_found_where_there_is_one(
    text: bytes, expected: int | None
) -> None:
    assert request_id(text) == expected


def test_logic_reads_what_becomes_a_message_and_nothing_else() -> None:
    assert isinstance(parse_publish(b'{"op":"chat","id":1,"room":"r","text":"x"}'), Chat)
    for bad in (b'{"op":"ping","id":1}', b"", b"\xff"):
        with pytest.raises(RequestError) as caught:
            parse_publish(bad)
        assert caught.value.body.code is ErrorCode.BAD_FRAME
