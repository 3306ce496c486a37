import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from access.likes import LikeMerger
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.services import LikesBody, Method
from tests.access.cluster import Client, World

LOST = ErrorBody(ErrorCode.TIMEOUT, "lost")


def nothing(error: ErrorBody | None) -> None:
    """An answer that nobody waits for."""


class Durable:
    """The counters as logic keeps them: a grow-only counter each."""

    def __init__(self) -> None:
        self.counters: dict[tuple[str, str], int] = {}

    def take(self, body: LikesBody) -> None:
        for count in body.counts:
            key = (count.room, count.counter)
            self.counters[key] = max(self.counters.get(key, 0), count.count)

    def total(self, room: str) -> int:
        return sum(count for (name, _), count in self.counters.items() if name == room)


class LikedRoom:
    """One room's likes, with reports that arrive (0), get lost (1) or lose their answer (2)."""

    def __init__(self) -> None:
        self.merger, self.durable = LikeMerger("i1"), Durable()
        self.liked = self.acknowledged = 0

    def like(self, likes: int) -> None:
        def answer(error: ErrorBody | None) -> None:
            self.acknowledged += 0 if error else likes

        self.liked += likes
        assert self.merger.count("lobby", likes, answer)

    def close(self, _: int) -> None:
        self.merger.close("lobby")

    def flush(self, fate: int) -> None:
        body = self.merger.flush()
        if body is not None and fate != 1:
            self.durable.take(body)
        if body is not None and fate == 0:
            self.merger.acknowledged()
        elif body is not None:
            self.merger.failed(LOST)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("like"), st.integers(1, 1000)),
            st.tuples(st.just("close"), st.just(0)),
            st.tuples(st.just("flush"), st.sampled_from([0, 1, 2])),
        ),
        max_size=40,
    )
)
def test_no_acknowledged_like_is_lost_and_none_counts_twice(
    events: list[tuple[str, int]],
) -> None:
    room = LikedRoom()
    for event, number in events:
        getattr(room, event)(number)
        assert room.acknowledged <= room.durable.total("lobby") <= room.liked
    room.flush(0)
    assert room.durable.total("lobby") == room.liked
    assert room.merger.idle
    assert room.merger.waiting == 0


def test_one_report_is_on_its_way_at_a_time() -> None:
    merger = LikeMerger("i1")
    merger.count("a", 1, nothing)
    assert merger.flush() is not None
    merger.count("a", 1, nothing)
    assert merger.flush() is None
    merger.acknowledged()
    body = merger.flush()
    assert body is not None
    assert body.counts[0].count == 2


def test_each_opening_of_a_room_has_a_counter_of_its_own() -> None:
    merger = LikeMerger("i1")
    merger.count("a", 1, nothing)
    merger.close("a")
    merger.count("a", 1, nothing)
    body = merger.flush()
    assert body is not None
    assert [(count.room, count.count) for count in body.counts] == [("a", 1), ("a", 1)]
    assert len({count.counter for count in body.counts}) == 2


def test_who_waits_is_bounded() -> None:
    merger = LikeMerger("i1", max_waiting=1)
    assert merger.count("a", 1, nothing)
    assert not merger.count("a", 1, nothing)
    body = merger.flush()
    assert body is not None
    assert body.counts[0].count == 1


async def test_likes_go_up_merged_and_are_answered_after_that(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    ids = [ann.send("like", room="lobby", count=count) for count in (1, 2, 3)]
    assert [ann.replies(request) for request in ids] == [[], [], []]
    replies = [await ann.reply(request) for request in ids]
    assert [reply["ok"] for reply in replies] == [{"counted": 1}, {"counted": 2}, {"counted": 3}]
    assert world.mesh.likes("lobby") == 6
    assert len(world.mesh.asked_for(Method.LIKES)) == 1


async def test_likes_whose_report_failed_say_so_and_go_up_with_the_next(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.failures.append(RequestError(ErrorCode.TIMEOUT))
    reply = await ann.ask("like", room="lobby", count=5)
    assert reply["error"]["code"] == "timeout"
    await world.settle(0.2)
    assert world.mesh.likes("lobby") == 5
    assert (await ann.ask("like", room="lobby"))["ok"] == {"counted": 1}
    assert world.mesh.likes("lobby") == 6
    assert world.node.counters.like_flush_errors == 1


async def test_likes_of_a_room_that_closes_still_count(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE)
    ann.send("like", room="lobby", count=5)
    await world.settle(0.2)
    world.edge.hang_up(ann.connection)
    await world.settle(10)
    assert len(world.node.rooms) == 0
    world.mesh.down = None
    await world.settle(0.5)
    assert world.mesh.likes("lobby") == 5
    assert world.node.likes.idle


async def test_a_drain_reports_what_is_left(
    world: World, ann: Client, autojump_clock: MockClock
) -> None:
    ann.send("like", room="lobby", count=5)
    with trio.fail_after(0.5):
        await world.node.like_reports.drain(1.0)
    assert world.mesh.likes("lobby") == 5
