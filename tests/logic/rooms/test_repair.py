import pytest

from backends.heat.interface import Transition
from backends.heat.memory import MemoryHeat
from logic.rooms.repair import MAX_ANSWER_BYTES, within
from proto.errors import ErrorCode, RequestError
from proto.headers import decode_heads
from proto.heat import HeatState
from proto.services import (
    CensusBody,
    FetchAnswer,
    FetchBody,
    LikeCount,
    Method,
    RoomCensus,
    decode_fetch_answer,
)


async def test_heads_tell_positions_likes_and_members(autojump_clock, ask, world, running):
    logic, _ = await running()
    await ask(logic, Method.PUBLISH, {"op": "chat", "text": "x"})
    await ask(logic, Method.PUBLISH, {"op": "speech", "text": "x"}, role="host")
    await world.likes.count("a", [LikeCount("a", "n", 7)])
    await ask(logic, Method.CENSUS, CensusBody([RoomCensus("a", 3)]))
    heads = decode_heads(await ask(logic, Method.HEADS))
    # The reporting node has no lease yet: its members do not count.
    assert (heads.seqs, heads.likes, heads.online) == ((1, 1, 0), 7, 0)
    empty = decode_heads(await ask(logic, Method.HEADS, room="b"))
    assert empty.epoch
    assert (empty.seqs, empty.likes, empty.online) == ((0, 0, 0), 0, 0)


async def test_heads_tell_the_rooms_rule(autojump_clock, ask, world, logic):
    heat = MemoryHeat(world.room_log.inner)
    rule = await heat.advance(Transition("a", 0, HeatState.MOVING, "hot-1", 2000), 1000)
    assert decode_heads(await ask(logic, Method.HEADS)).rule == rule


async def test_fetch_gives_frames(autojump_clock, ask, logic):
    for i in range(5):
        ok = await ask(logic, Method.PUBLISH, {"op": "chat", "text": f"t{i}"})
    body = FetchBody(1, ok["epoch"], 2, 4)
    answer = decode_fetch_answer(await ask(logic, Method.FETCH, body))
    assert [seq for seq, _ in answer.frames] == [2, 3, 4]
    assert b'"text":"t1"' in answer.frames[0][1]
    assert logic.counters.fetched == 3


@pytest.mark.parametrize(
    ("newest", "sizes", "left"),
    [
        (False, [MAX_ANSWER_BYTES // 2] * 3, [1, 2]),
        (True, [MAX_ANSWER_BYTES // 2] * 3, [2, 3]),
        (False, [2 * MAX_ANSWER_BYTES, 1], [1]),
        (True, [1, 2 * MAX_ANSWER_BYTES], [2]),
        (False, [10, 20, 30], [1, 2, 3]),
        (True, [], []),
    ],
)
def test_an_answer_has_as_many_frames_as_an_envelope_carries(newest, sizes, left):
    frames = [(seq, b"x" * size) for seq, size in enumerate(sizes, 1)]
    answer = within(FetchAnswer("e", 9, 1, frames), newest=newest)
    assert [seq for seq, _ in answer.frames] == left
    assert (answer.epoch, answer.head_seq, answer.oldest_seq) == ("e", 9, 1)


@pytest.mark.parametrize(
    ("method", "body", "header", "field"),
    [
        (Method.HEADS, b"", {"room": ""}, "room"),
        (Method.HEADS, b"", {"room": "no room"}, "room"),
        (Method.FETCH, FetchBody(3, "e", 1, 2), {}, "priority"),
        (Method.FETCH, FetchBody(-1, "e", 1, 2), {}, "priority"),
        (Method.FETCH, b"\xc1", {}, "body"),
        (Method.FETCH, FetchBody(1, "e", 1, 2), {"room": "}{"}, "room"),
    ],
)
async def test_what_is_refused(autojump_clock, ask, logic, method, body, header, field):
    with pytest.raises(RequestError) as caught:
        await ask(logic, method, body, **header)
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.BAD_FRAME, field)


async def test_a_store_that_is_away(autojump_clock, ask, world, logic):
    world.room_log.away = True
    for method, body in ((Method.HEADS, b""), (Method.FETCH, FetchBody(1, "e", 1, 2))):
        with pytest.raises(RequestError) as caught:
            await ask(logic, method, body)
        assert caught.value.body.code is ErrorCode.UNAVAILABLE
