"""The stand-in for logic gives an access node what logic would."""

import json

import pytest

from bench.edge.stand_in import KEPT, StandIn
from proto import envelopes, services
from proto.envelopes import Kind
from proto.errors import RequestError
from proto.headers import HeadsHeader, RequestHeader, decode_heads, decode_room
from proto.priorities import Priority
from proto.services import FetchBody, Method


def header(method: str) -> RequestHeader:
    return RequestHeader(1, "access-1", "i", method, 1000, uid="ann", role="viewer", room="r")


async def heads(stand_in: StandIn) -> HeadsHeader:
    return decode_heads(await stand_in.serve(header(Method.HEADS), b""))


async def test_messages_are_numbered_and_told_in_the_heads() -> None:
    stand_in = StandIn("e", None)
    raw = [stand_in.chat("r", text) for text in ("one", "two")]
    (first, second) = envelopes.split(envelopes.BATCH_START + b"".join(raw))
    assert (first.kind, first.priority, first.key) == (Kind.ROOM, Priority.NORMAL, b"r")
    assert [decode_room(each.header).seq for each in (first, second)] == [1, 2]
    push = json.loads(second.body)
    assert (push["push"], push["epoch"], push["seq"], push["text"]) == ("chat", "e", 2, "two")
    assert await heads(stand_in) == HeadsHeader("e", (0, 2, 0))


async def test_the_newest_frames_can_be_fetched() -> None:
    stand_in = StandIn("e", None)
    for number in range(KEPT + 5):
        stand_in.chat("r", str(number))
    asked = services.encode(FetchBody(Priority.NORMAL, "e", 1, 7))
    answer = services.decode_fetch_answer(await stand_in.serve(header(Method.FETCH), asked))
    assert (answer.epoch, answer.head_seq, answer.oldest_seq) == ("e", KEPT + 5, 6)
    assert [seq for seq, _ in answer.frames] == [6, 7]


async def test_a_chat_is_answered_and_pushed_where_somebody_takes_it() -> None:
    said: list[str] = []
    stand_in = StandIn("e", lambda room, _: said.append(room))
    frame = b'{"op":"chat","id":1,"room":"r","text":"hi"}'
    answer = json.loads(await stand_in.serve(header(Method.PUBLISH), frame))
    assert (answer["room"], answer["seq"], said) == ("r", 1, ["r"])


async def test_a_chat_that_nobody_takes_leaves_no_gap() -> None:
    stand_in = StandIn("e", None)
    frame = b'{"op":"chat","id":1,"room":"r","text":"hi"}'
    assert json.loads(await stand_in.serve(header(Method.PUBLISH), frame))["room"] == "r"
    assert (await heads(stand_in)).seqs == (0, 0, 0)


async def test_what_it_does_not_know_is_refused() -> None:
    with pytest.raises(RequestError, match="method"):
        await StandIn("e", None).serve(header("dance"), b"")
