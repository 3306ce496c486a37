"""Each message comes once and in its conversation's order, whatever happens on the way."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from im_model import Application, Cluster

Frame = dict[str, Any]
CONVERSATIONS = ["d:ann|bob", "g:1", "g:2"]
SAY = st.tuples(st.just("say"), st.sampled_from(CONVERSATIONS))
TURN = st.tuples(st.just("turn"), st.sampled_from(["g:1", "g:2"]))
COUNTS = st.integers(0, 6)
ON_THE_WAY = st.one_of(
    SAY,
    SAY,
    st.tuples(st.just("push"), COUNTS),
    st.tuples(st.just("push"), COUNTS),
    st.tuples(st.just("push_in_disorder"), COUNTS),
    st.tuples(st.just("again"), COUNTS),
    st.tuples(st.just("keep"), COUNTS),
    st.tuples(st.just("answer"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.1, 6.0])),
    st.tuples(st.just("cut"), st.none()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("many"), st.sampled_from(CONVERSATIONS)),
)
LOST = st.tuples(st.just("push_badly"), st.permutations(range(4)))
"""Only of a mailbox: what else came over two streams says nothing of what was lost of one."""


def act(app: Application, action: str, value: Any) -> None:
    cluster = app.cluster
    match action:
        case "say" | "turn":
            getattr(cluster, action)(value)
        case "many":
            for _ in range(15):
                cluster.say(value)
        case _ if action.startswith("push"):
            push(app, action, value)
        case "again":
            app.receive(*cluster.flying[:value])
        case "keep" | "wait":
            getattr(app, action)(value)
        case _:
            getattr(app, action)()


def push(app: Application, action: str, value: Any) -> None:
    cluster = app.cluster
    match action:
        case "push":
            app.receive(*cluster.take(value))
        case "push_badly":
            # Some of them are lost in the client.
            frames = cluster.take(4)
            app.receive(*(frames[index] for index in value[:2] if index < len(frames)))
        case "push_in_disorder":
            app.receive(*out_of_order(cluster.take(value)))


def out_of_order(frames: list[Frame]) -> list[Frame]:
    """Turn around the frames of each stream; the streams keep their places."""
    streams = [each["stream"] for each in frames]
    waiting = {name: [f for f in frames if f["stream"] == name] for name in streams}
    return [waiting[name].pop() for name in streams]


def finish(app: Application) -> None:
    """Let the cluster send and answer until nothing lacks."""
    for _ in range(400):
        app.receive(*app.cluster.take(50))
        app.receive(*app.cluster.flying)
        app.answer()
        app.keep(1000)
        app.wait(0.2)
        if not app.cluster.queue and not app.cluster.flying and not app.syncs:
            app.wait(6.0)
            if not app.syncs:
                return
    raise AssertionError("the client does not come to rest")


def check_all_kept(app: Application) -> None:
    kept = [(each.conv, each.seq) for each in app.kept]
    doubled = [each for each, count in Counter(kept).items() if count > 1]
    assert not doubled
    assert sorted(kept) == sorted((each["conv"], each["seq"]) for each in app.cluster.said)
    for conv in app.cluster.seqs:
        seqs = [seq for each, seq in kept if each == conv]
        assert seqs == sorted(seqs)


TURNING = st.lists(ON_THE_WAY | TURN, min_size=15, max_size=60)
LOSING = st.lists(ON_THE_WAY | LOST, min_size=15, max_size=60)
NOTHING_SAID_YET = [
    ("turn", "g:2"),
    *[("say", "d:ann|bob")] * 13,
    ("cut", None),
    *[("answer", None)] * 2,
    ("say", "g:2"),
]
"""A page of a hot stream is refused, as there is nothing in it, before something comes."""
HOT_AGAIN = [
    *[("say", "d:ann|bob")] * 2,
    ("many", "d:ann|bob"),
    ("turn", "g:2"),
    *[("say", "d:ann|bob")] * 3,
    ("cut", None),
    ("turn", "g:2"),
    *[("answer", None)] * 6,
    ("turn", "g:2"),
    ("say", "g:2"),
    ("answer", None),
]
"""A page of a hot stream has, behind a `cool`, what comes after a `hot` not yet pushed."""
MUCH_SAID_WHILE_AWAY = [
    *[("turn", "g:2")] * 2,
    ("push", 6),
    ("keep", 6),
    ("say", "g:2"),
    ("turn", "g:2"),
    ("many", "g:2"),
    ("restart", None),
    *[("answer", None)] * 3,
]
"""What a hot stream is too far behind to be pushed comes by pages, before the mailbox is pushed."""
SEEDS = st.integers(0, 2**32)
SHORT_RUN = settings(max_examples=100)
LONG_RUN = settings(max_examples=5000)


@SHORT_RUN
@given(TURNING, SEEDS)
@example(NOTHING_SAID_YET, 0)
@example(HOT_AGAIN, 0)
@example(MUCH_SAID_WHILE_AWAY, 0)
def test_groups_become_hot_and_cool_down_and_nothing_is_lost_or_doubled(
    actions: list[tuple[str, Any]], seed: int
) -> None:
    check(actions, seed)


@SHORT_RUN
@given(LOSING, SEEDS)
def test_what_is_lost_in_the_client_comes_all_the_same(
    actions: list[tuple[str, Any]], seed: int
) -> None:
    check(actions, seed)


@pytest.mark.fuzz
@LONG_RUN
@given(TURNING, SEEDS)
def test_groups_become_hot_and_cool_down_for_a_long_run(
    actions: list[tuple[str, Any]], seed: int
) -> None:
    check(actions, seed)


@pytest.mark.fuzz
@LONG_RUN
@given(LOSING, SEEDS)
def test_what_is_lost_in_the_client_comes_in_a_long_run(
    actions: list[tuple[str, Any]], seed: int
) -> None:
    check(actions, seed)


def check(actions: list[tuple[str, Any]], seed: int) -> None:
    app = Application(Cluster(), seed)
    for action, value in actions:
        act(app, action, value)
    finish(app)
    check_all_kept(app)
    assert not app.resets
