"""The whole core against a model of a server, over connections that break anywhere."""

import json
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relaymesh_client.errors import Closed, OutboxFull, Unanswered
from relaymesh_client.events import Direct, Frame, Lost, Push, Reset, Skipped
from relaymesh_client.keepalive import HELLO_S, PING_S
from relaymesh_client.outbox import Outbox
from relaymesh_client.protocol import REPEAT_WITHIN_S, Protocol

HEARTBEAT_S = 25.0


class Model:
    """A server with one room that keeps everything, and connections that lose what is in flight."""

    def __init__(self) -> None:
        self.log: list[Frame] = []
        self.first_answers: dict[str, Frame] = {}
        self.likes = 0
        self.outbox: list[Frame] = []
        self.joined = False
        self.fetch_faults: list[str] = []
        """What becomes of the next fetches: the code of an error, or `""` for no answer."""

    def publish(self, mid: str, text: str) -> Frame:
        frame = {"push": "chat", "room": "lobby", "priority": "normal", "epoch": "e"}
        frame |= {"seq": len(self.log) + 1, "mid": mid, "text": text}
        self.log.append(frame)
        if self.joined:
            self.outbox.append(frame)
        return frame

    def take(self, text: str) -> None:
        frame = json.loads(text)
        if frame["op"] == "fetch" and self.fetch_faults:
            code = self.fetch_faults.pop(0)
            error = {"reply": frame["id"], "error": {"code": code, "message": "not now"}}
            self.outbox += [error] if code else []
            return
        ok = getattr(self, f"_{frame['op']}")(frame)
        # A reply goes before the pushes that the request led to, or behind them.
        self.outbox.insert(frame["id"] % (len(self.outbox) + 1), {"reply": frame["id"], "ok": ok})
        if frame["op"] in ("hello", "join"):
            self.outbox.sort(key=lambda each: "push" in each)

    def broken(self) -> None:
        self.outbox.clear()
        self.joined = False

    def _hello(self, frame: Frame) -> Frame:
        rooms = {spec["room"]: self._join(spec) for spec in frame.get("join", [])}
        return {"uid": "ann", "node": "n", "session": "s", "heartbeat_ms": 25_000, "rooms": rooms}

    def _join(self, spec: Frame) -> Frame:
        heads = {p: {"epoch": "e", "seq": 0} for p in ("urgent", "normal", "bulk")}
        start = spec.get("since", {}).get("normal", {}).get("seq", len(self.log))
        heads["normal"]["seq"] = start
        self.joined = True
        self.outbox += self.log[start:]
        return {"room": "lobby", "streams": heads, "online": 1, "likes": 0, "carrier": "r"}

    def _chat(self, frame: Frame) -> Frame:
        if frame["mid"] not in self.first_answers:
            self.first_answers[frame["mid"]] = self.publish(frame["mid"], frame["text"])
        return self.first_answers[frame["mid"]]

    def _like(self, frame: Frame) -> Frame:
        self.likes += frame["count"]
        return {"counted": frame["count"]}

    def _fetch(self, frame: Frame) -> Frame:
        frames = self.log[frame["from"] - 1 : frame["to"]]
        return {"epoch": "e", "head": len(self.log), "oldest": 1, "frames": frames}

    def _ping(self, frame: Frame) -> Frame:
        return {"ts": 1}


class World:
    """A core, a model and the time between them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.core = Protocol(Random(1))
        self.server = Model()
        self.open = False
        self.core.join("lobby", now=self.now)

    def connect(self) -> None:
        if not self.open:
            self.open = True
            self.core.opened("token", now=self.now)

    def exchange(self, requests: int, frames: int) -> None:
        """Deliver so many of the client's messages and of the server's frames."""
        sent, self.core.outgoing[:requests] = self.core.outgoing[:requests], []
        for message in sent:
            self.server.take(message)
        arrived, self.server.outbox[:frames] = self.server.outbox[:frames], []
        if arrived:
            self.core.received(json.dumps(arrived), now=self.now)

    def cut(self) -> None:
        if self.open:
            self.open = False
            self.server.broken()
            self.core.closed(None, "", now=self.now, reconnecting=True)

    def settle(self) -> None:
        """Let everything arrive that is still on its way."""
        self.connect()
        self.server.fetch_faults.clear()
        for _ in range(200):
            self.now += 0.2
            self.core.tick(self.now)
            self.exchange(1000, 1000)


def ready() -> World:
    world = World()
    world.connect()
    world.exchange(9, 9)
    assert world.core.ready
    world.core.events.clear()
    return world


FETCH_FAULTS = ("", "overloaded", "unavailable", "timeout", "not_joined")
STEPS = st.one_of(
    st.tuples(st.just("chat"), st.just(0)),
    st.tuples(st.just("other"), st.just(0)),
    st.tuples(st.just("like"), st.integers(1, 2000)),
    st.tuples(st.just("exchange"), st.integers(0, 63)),
    st.tuples(st.just("lose"), st.integers(1, 3)),
    st.tuples(st.just("fault"), st.integers(0, len(FETCH_FAULTS) - 1)),
    st.tuples(st.just("cut"), st.just(0)),
    st.tuples(st.just("connect"), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 6000)),
)


def befall(world: World, step: str, number: int) -> None:
    """Let something happen that is not the user's doing."""
    if step == "other":
        world.server.publish(f"other-{len(world.server.log)}", "hi")
    elif step == "exchange":
        world.exchange(number % 8, number // 8)
    elif step == "lose":
        pushes = [each for each in world.server.outbox if "push" in each][:number]
        world.server.outbox = [each for each in world.server.outbox if each not in pushes]
    elif step == "fault":
        world.server.fetch_faults.append(FETCH_FAULTS[number])
    elif step == "wait":
        world.now += number / 1000
        world.core.tick(world.now)
    else:
        world.cut() if step == "cut" else world.connect()


@settings(max_examples=100)
@given(st.lists(STEPS, min_size=40, max_size=120))
@example(
    [
        *[("chat", 0)] * 34,
        *[("other", 0), ("lose", 1), ("exchange", 9)],
        *[("wait", 3261), ("wait", 5639), ("wait", 6000)],
    ]
)
def test_each_message_is_published_once_and_told_once_in_order(
    steps: list[tuple[str, int]],
) -> None:
    world, tickets, liked = ready(), [], 0
    for step, number in steps:
        if step == "chat":
            text = f"own {len(tickets)}"
            fields = {"room": "lobby", "text": text}
            tickets.append(world.core.publish("chat", fields, now=world.now, give_up_s=200))
        elif step == "like":
            world.core.like("lobby", number, now=world.now)
            liked += number
        else:
            befall(world, step, number)
    world.server.publish("last", "closes every gap")
    world.settle()
    told = [event for event in world.core.events if isinstance(event, Push)]
    assert not [e for e in world.core.events if isinstance(e, Lost | Reset | Skipped)]
    assert [event.frame for event in told] == world.server.log
    answers = {each.id: each for each in world.core.answers}
    assert all(answers[ticket].error is None for ticket in tickets)
    own = [frame["text"] for frame in world.server.log if frame["text"].startswith("own")]
    assert sorted(own) == sorted(f"own {n}" for n in range(len(tickets)))
    unsent = world.core.unconfirmed_likes("lobby")
    assert liked - world.core.uncertain_likes - unsent <= world.server.likes <= liked


def fetches_while_they_fail(world: World, fault: str, until_s: float) -> list[float]:
    """Open a gap that no fetch can close; returns when the client asked for it."""
    for name in ("lost", "seen"):
        world.server.publish(name, "hi")
    del world.server.outbox[0]
    world.exchange(9, 9)
    times: list[float] = []
    while (due := world.core.next_tick()) is not None and due < until_s:
        times += [world.now for each in world.core.outgoing if '"op":"fetch"' in each]
        world.server.fetch_faults = [fault]
        world.exchange(9, 9)
        world.now = max(world.now, min(due, world.core.next_tick() or due))
        world.core.tick(world.now)
    return times


@pytest.mark.parametrize("fault", FETCH_FAULTS)
def test_fetch_without_an_answer_is_repeated_later_each_time_and_nothing_is_lost(
    fault: str,
) -> None:
    world = ready()
    times = fetches_while_they_fail(world, fault, until_s=600.0)
    assert 30 < len(times) < 150
    waits = [after - before for before, after in pairwise(times)]
    assert max(waits[-20:]) > 2 * waits[0]
    assert world.core.events == []
    world.settle()
    assert [event.seq for event in world.core.events if isinstance(event, Push)] == [1, 2]


def test_gap_that_no_fetch_closed_comes_with_the_resume() -> None:
    world = ready()
    fetches_while_they_fail(world, "", until_s=60.0)
    world.cut()
    world.settle()
    told = [each for each in world.core.events if isinstance(each, Push | Lost)]
    assert [event.frame for event in told if isinstance(event, Push)] == world.server.log
    assert len(told) == 2


def test_silent_server_is_pinged_and_then_given_up() -> None:
    world = ready()
    assert world.core.next_tick() == HEARTBEAT_S
    world.core.tick(HEARTBEAT_S)
    assert json.loads(world.core.outgoing[0])["op"] == "ping"
    world.core.tick(HEARTBEAT_S + PING_S)
    assert world.core.must_drop


def test_answered_ping_keeps_the_connection() -> None:
    world = ready()
    world.now = HEARTBEAT_S
    world.core.tick(world.now)
    world.exchange(1, 1)
    world.core.tick(HEARTBEAT_S + PING_S)
    assert not world.core.must_drop


def test_hello_without_an_answer_is_given_up() -> None:
    world = World()
    world.connect()
    world.core.tick(HELLO_S)
    assert world.core.must_drop


def test_what_is_no_frame_is_ignored() -> None:
    world = ready()
    for message in ("", "nonsense", "{}", "5", "[5, null, {}]", '[{"reply": 99, "ok": {}}]'):
        world.core.received(message, now=1.0)
    push = {"push": "chat", "room": "lobby", "priority": "normal", "epoch": "e", "seq": 1}
    for damage in ({"seq": "1"}, {"epoch": None}, {"room": "other"}, {"priority": "top"}):
        world.core.received(json.dumps([push | damage]), now=1.0)
    world.core.received(json.dumps([push | {"push": "hologram"}]), now=1.0)
    assert [event.kind for event in world.core.events] == ["hologram"]  # type: ignore[union-attr]


def test_direct_message_is_told_once() -> None:
    world = ready()
    for _ in range(2):
        world.core.received('[{"push": "direct", "mid": "m", "data": 5}]', now=1.0)
    assert world.core.events == [Direct("m", 5, {"push": "direct", "mid": "m", "data": 5})]


def test_twenty_rooms_come_with_hello_and_the_rest_behind_it() -> None:
    core = Protocol(Random(1))
    for number in range(25):
        core.join(f"room-{number}", now=0.0)
    core.opened("token", now=0.0)
    hello = json.loads(core.outgoing.pop())
    assert len(hello["join"]) == 20
    ok = {"uid": "a", "node": "n", "session": "s", "heartbeat_ms": 25_000, "rooms": {}}
    core.received(json.dumps([{"reply": hello["id"], "ok": ok}]), now=0.0)
    assert [json.loads(each)["op"] for each in core.outgoing] == ["join"] * 5


def test_nothing_is_repeated_for_longer_than_the_server_knows_a_mid() -> None:
    core = Protocol(Random(1))
    with pytest.raises(ValueError, match="give_up_s"):
        core.publish("chat", {"room": "r", "text": "x"}, now=0.0, give_up_s=REPEAT_WITHIN_S + 1)
    ticket = core.publish("chat", {"room": "r", "text": "x"}, now=0.0, give_up_s=5.0)
    core.tick(5.0)
    assert core.answers[0].id == ticket
    assert isinstance(core.answers[0].error, Unanswered)


def test_end_answers_everything_that_is_open() -> None:
    core = Protocol(Random(1))
    tickets = {core.join("r", now=0.0), core.publish("chat", {"room": "r", "text": "x"}, now=0.0)}
    core.end(Closed("over"))
    assert {answer.id for answer in core.answers} == tickets


def test_outbox_is_bounded() -> None:
    outbox = Outbox(limit=1)
    outbox.add("ping", {}, now=0.0, give_up_s=1.0)
    with pytest.raises(OutboxFull):
        outbox.admit()
