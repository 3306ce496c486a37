import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proto import server_frames
from proto.errors import CATALOGUE, ErrorBody, ErrorCode, RequestError
from proto.priorities import Priority

PRIORITIES = st.sampled_from(Priority)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_message_is_an_array_of_its_frames() -> None:
    assert server_frames.message([b'{"a":1}', b'{"b":2}']) == b'[{"a":1},{"b":2}]'


def test_replies_carry_their_id_and_what_was_given() -> None:
    assert server_frames.reply_ok(7) == b'{"reply":7,"ok":{}}'
    assert server_frames.reply_ok(0, b'{"x": 1 }') == b'{"reply":0,"ok":{"x": 1 }}'


def test_errors_leave_out_what_there_is_not() -> None:
    error = RequestError(ErrorCode.NOT_JOINED).body
    assert json.loads(server_frames.reply_error(None, error)) == {
        "reply": None,
        "error": {"code": "not_joined", "message": CATALOGUE[ErrorCode.NOT_JOINED].meaning},
    }
    full = ErrorBody(ErrorCode.RATE_LIMITED, "wait", "op", 5)
    assert json.loads(server_frames.reply_error(3, full))["error"] == {
        "code": "rate_limited",
        "message": "wait",
        "field": "op",
        "retry_after_ms": 5,
    }


@given(st.dictionaries(st.sampled_from(["text", "uid", "data"]), JSON), PRIORITIES)
def test_a_push_keeps_its_fields_to_the_byte(fields: dict[str, object], priority: Priority) -> None:
    body = msgspec.json.encode(fields)
    push = server_frames.room_push("chat", "lobby", priority, body)
    frame = server_frames.numbered(push, "e1", 42)
    assert body[1:-1] in frame
    assert json.loads(frame) == {
        "epoch": "e1",
        "seq": 42,
        "push": "chat",
        "room": "lobby",
        "priority": priority.label,
        **fields,
    }


@given(PRIORITIES, st.integers(0, 2**53), st.integers(0, 2**53))
def test_skipped_and_reset_name_stream_and_numbers(
    priority: Priority, first: int, last: int
) -> None:
    stream = {"room": "r", "priority": priority.label, "epoch": "e"}
    assert json.loads(server_frames.skipped("r", priority, "e", first, last)) == {
        "push": "skipped",
        **stream,
        "from": first,
        "to": last,
    }
    assert json.loads(server_frames.reset("r", priority, "e", last)) == {
        "push": "reset",
        **stream,
        "seq": last,
    }


def test_a_direct_push_keeps_its_data_to_the_byte() -> None:
    frame = server_frames.direct_push("m1", 5, "t1", b'{"a": [1, 2]}')
    assert b'"data":{"a": [1, 2]}' in frame
    assert json.loads(frame) == {
        "push": "direct",
        "mid": "m1",
        "ts": 5,
        "trace": "t1",
        "data": {"a": [1, 2]},
    }
