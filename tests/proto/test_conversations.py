"""Conversations and streams by their ids, and the frames of messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto import conversations, im_frames
from proto.conversations import ConversationKind

UIDS = st.text("abcABC019_.:@-", min_size=1, max_size=20)


@given(UIDS, UIDS)
def test_a_chat_has_one_id_whoever_names_it(uid: str, other: str) -> None:
    conv = conversations.direct(uid, other)
    assert conv == conversations.direct(other, uid)
    assert conversations.pair(conv) == tuple(sorted((uid, other)))
    assert conversations.is_conversation(conv) == (uid != other)
    assert conversations.peer(conv, uid) == other


@pytest.mark.parametrize(
    "conv", ["", "d:a", "d:b|a", "d:a|a", "d:a|b|c", "x:a", "g:", "g:a b", "s:"]
)
def test_what_is_no_conversation(conv: str) -> None:
    assert not conversations.is_conversation(conv)


def test_who_may_be_in_a_conversation_as_far_as_its_id_tells() -> None:
    assert conversations.may_hold("d:ann|bob", "ann")
    assert not conversations.may_hold("d:ann|bob", "eve")
    assert conversations.may_hold("g:1", "eve")
    assert conversations.may_hold(conversations.system("ann"), "ann")
    assert not conversations.may_hold("s:ann", "bob")
    assert conversations.owner("s:ann") == "ann"
    assert conversations.kind_of("g:1") is ConversationKind.GROUP
    with pytest.raises(ValueError, match="eve"):
        conversations.peer("d:ann|bob", "eve")


def test_a_hot_stream_names_its_group() -> None:
    assert conversations.hot_group(conversations.hot_stream("g:1")) == "g:1"
    assert conversations.hot_group(conversations.MAILBOX) is None


@given(UIDS, st.integers(1, 2**53 - 1))
def test_a_message_has_the_same_id_for_ever(group: str, seq: int) -> None:
    made = conversations.message_id(f"g:{group}", seq)
    assert made == conversations.message_id(f"g:{group}", seq)
    assert made != conversations.message_id(f"g:{group}", seq + 1)
    assert len(made) == 20


def test_a_message_stays_as_it_is_in_whatever_stream() -> None:
    frame = im_frames.message(
        "g:1", 4, kind="message", uid="ann", name="Ann", ts_ms=9, mid="m", body=b'{"text":"x"}'
    )
    expected = {"push": "message", "conv": "g:1", "seq": 4, "kind": "message", "uid": "ann"}
    expected |= {"id": conversations.message_id("g:1", 4), "ts": 9, "mid": "m", "name": "Ann"}
    expected |= {"body": {"text": "x"}}
    assert json.loads(frame) == expected
    placed = im_frames.in_stream("mailbox", 7, frame)
    assert json.loads(placed) == {"stream": "mailbox", "n": 7, **expected}
    assert placed.endswith(frame[1:])


def test_signals_are_as_the_document_says() -> None:
    assert json.loads(im_frames.typing_push("g:1", "ann", False)) == (
        {"push": "typing", "conv": "g:1", "uid": "ann", "on": False}
    )
    assert json.loads(im_frames.receipt_push("g:1", "ann", 3, 9)) == (
        {"push": "receipt", "conv": "g:1", "uid": "ann", "seq": 3, "ts": 9}
    )
