"""The rules of the JavaScript client, asked for in a page that has it."""

from collections.abc import Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

RECEIVE = """async ([position, hot, steps]) => {
  const { Incoming, everyNumber, risingNumbers } = await import("/relaymesh.js");
  const stream = new Incoming(position, hot ? risingNumbers : everyNumber);
  const numbers = (frames) => frames.map(({ n }) => n);
  const got = steps.map(([step, ...rest]) => {
    if (step === "take") return numbers(stream.take(rest[0], { n: rest[0] }));
    if (step === "move") return numbers(stream.move(rest[0]));
    if (step === "resume") return numbers(stream.resume());
    return stream[step](...rest) ?? [];
  });
  return { got, ack: stream.acknowledgement(), missingTo: stream.missingTo };
}"""

STREAMS = """async ([kept, steps]) => {
  const { Streams } = await import("/relaymesh/im/streams.js");
  const messages = [], told = [], asked = [], resets = [];
  let position = kept;
  const keeping = {
    get: (key, other) => position ?? other,
    set: (key, value) => { position = structuredClone(value); },
  };
  const requests = {
    add: (op, fields, answer) => asked.push({ op, fields, answer }),
    forget() {},
  };
  const events = { emit: (type, detail) => resets.push([type, detail.stream]) };
  const took = (stream, { conv, seq }) => messages.push([stream, conv, seq]);
  const link = { requests, events, tell: (ack) => told.push(ack), tick() {} };
  const streams = new Streams(keeping, link, took);
  const standings = [];
  for (const [step, detail] of steps) {
    if (step === "opened") standings.push(streams.opened(detail));
    if (step === "take") streams.take(detail);
    if (step === "page") asked.shift().answer.resolve(detail);
    if (step === "refuse") asked.shift().answer.reject(new Error("bad_cursor"));
    if (step === "flush") streams.flush();
    await new Promise((resolve) => setTimeout(resolve));
  }
  const syncs = asked.map(({ fields }) => fields);
  return { messages, told, resets, standings, syncs, position, hello: streams.positions() };
}"""

OUTBOX = """async () => {
  const { Outbox } = await import("/relaymesh.js");
  const kept = new Map();
  const get = (key, other) => kept.get(key) ?? other;
  const keeping = { get, set: (key, value) => kept.set(key, value) };
  const outbox = new Outbox(keeping);
  for (const [conv, mid] of [["a", "1"], ["a", "2"], ["b", "3"]]) outbox.add({ conv, mid });
  const mids = (entries) => entries.map(({ mid }) => mid);
  const rounds = [mids(outbox.next()), mids(outbox.next())];
  outbox.answered("1");
  rounds.push(mids(outbox.next()), mids(new Outbox(keeping).next()));
  return rounds;
}"""

NAMES = """async (names) => {
  const { uidOf, nameOf } = await import("/messenger/account.js");
  return names.map((name) => [uidOf(name), nameOf(uidOf(name))]);
}"""


@pytest.fixture(scope="module")
def page(gateway: str, browser: "playwright.Browser") -> Iterator["playwright.Page"]:
    """A page of the gateway's that runs nothing by itself."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gateway}/relaymesh.js")
    yield page
    context.close()


def receive(
    page: "playwright.Page", position: int, *steps: list[Any], hot: bool = False
) -> dict[str, Any]:
    """Have the receiving end at `position` take the steps; each step's answer is what came out."""
    result: dict[str, Any] = page.evaluate(RECEIVE, [position, hot, list(steps)])
    return result


def test_each_number_comes_out_once_and_in_order(page: "playwright.Page") -> None:
    seen = receive(page, 4, ["take", 5], ["take", 5], ["take", 3], ["take", 6])
    assert seen["got"] == [[5], [], [], [6]]
    assert seen["ack"] == {"n": 6}


def test_what_stands_behind_a_gap_waits_for_the_pages(page: "playwright.Page") -> None:
    held = receive(page, 4, ["take", 7], ["take", 8], ["take", 11])
    assert (held["got"], held["missingTo"]) == ([[], [], []], 6)
    assert held["ack"] == {"n": 4, "also": [[7, 8], [11, 11]]}
    filled = receive(page, 4, ["take", 7], ["take", 8], ["move", 5], ["move", 6])
    assert filled["got"] == [[], [], [], [7, 8]]
    assert (filled["ack"], filled["missingTo"]) == ({"n": 8}, 0)


def test_a_stream_waits_for_what_is_missing_and_for_another(page: "playwright.Page") -> None:
    behind = receive(page, 4, ["behind", 8], ["take", 9], ["move", 6], ["move", 8], ["take", 10])
    assert behind["got"] == [[], [], [], [9], [10]]
    paused = receive(page, 4, ["pause"], ["take", 5], ["take", 9], ["resume"], hot=True)
    assert (paused["got"], paused["missingTo"]) == ([[], [], [], [5, 9]], 0)


def test_a_broken_connection_forgets_what_is_held(page: "playwright.Page") -> None:
    seen = receive(page, 4, ["take", 7], ["disconnected"], ["take", 5], ["take", 6], ["take", 7])
    assert seen["got"] == [[], [], [5], [6], [7]]


def test_numbers_of_a_hot_stream_may_have_gaps(page: "playwright.Page") -> None:
    seen = receive(page, 4, ["take", 9], ["take", 9], ["take", 12], hot=True)
    assert (seen["got"], seen["missingTo"]) == ([[9], [], [12]], 0)


def mailbox(n: int, seq: int | None = None, stream: str = "mailbox") -> dict[str, Any]:
    """Return a frame: number `n` of `stream`, which is number `seq` of a group."""
    return {"stream": stream, "n": n, "push": "message", "conv": "g:a", "seq": seq or n}


def follow(page: "playwright.Page", kept: dict[str, Any] | None, *steps: Any) -> dict[str, Any]:
    """Have the streams of a device that has `kept` a position take the steps."""
    result: dict[str, Any] = page.evaluate(STREAMS, [kept, list(steps)])
    return result


def opened(standing: str, start: int, epoch: str = "e1", **hot: dict[str, int]) -> Any:
    """Return the step of a hello's answer."""
    answer = {"epoch": epoch, "head": start, "start": start, "standing": standing, "hot": hot}
    return ("opened", answer)


KEPT = {"epoch": "e1", "n": 4, "hot": {}}


def test_a_new_device_goes_on_where_the_server_says(page: "playwright.Page") -> None:
    seen = follow(page, None, opened("level", 7), ("take", mailbox(8)), ("flush", None))
    assert seen["messages"] == [["mailbox", "g:a", 8]]
    assert seen["told"] == [{"op": "ack", "stream": "mailbox", "n": 8}]
    assert seen["hello"] == {"epoch": "e1", "since": 8, "hot": {}}


def test_a_device_that_was_away_for_long_syncs_by_pages_first(page: "playwright.Page") -> None:
    behind = (opened("behind", 300), ("take", mailbox(301)), ("flush", None))
    waiting = follow(page, KEPT, *behind)
    assert waiting["messages"] == []
    assert waiting["syncs"] == [{"stream": "mailbox", "since": 4, "limit": 200}]
    assert waiting["told"] == [{"op": "ack", "stream": "mailbox", "n": 4, "also": [[301, 301]]}]
    first = {"epoch": "e1", "head": 300, "oldest": 1, "frames": [mailbox(n) for n in range(5, 205)]}
    rest = first | {"frames": [mailbox(n) for n in range(205, 301)]}
    seen = follow(page, KEPT, *behind, ("page", first), ("page", rest), ("flush", None))
    assert [seq for _, _, seq in seen["messages"]] == list(range(5, 302))
    assert seen["position"]["n"] == 301
    assert seen["told"][-1] == {"op": "ack", "stream": "mailbox", "n": 301}


def test_what_a_hot_group_said_meanwhile_comes_in_its_place(page: "playwright.Page") -> None:
    hot = "hot:g:a"
    steps = [
        opened("behind", 7, **{"g:a": {"head": 30, "start": 30}}),
        ("take", mailbox(31, 31, hot)),
        ("page", {"head": 7, "oldest": 1, "frames": [*was_hot(), mailbox(7, 26) | HOT_AGAIN]}),
        ("page", {"head": 30, "oldest": 1, "frames": [mailbox(n, n, hot) for n in (21, 22, 27)]}),
        ("page", {"head": 30, "oldest": 1, "frames": [mailbox(n, n, hot) for n in (27, 28, 30)]}),
    ]
    seen = follow(page, KEPT, *steps, ("flush", None))
    assert [seq for _, _, seq in seen["messages"]] == [20, 21, 22, 25, 26, 27, 28, 30, 31]
    assert (seen["syncs"], seen["resets"]) == ([], [])
    assert {ack["stream"]: ack["n"] for ack in seen["told"]} == {"mailbox": 7, hot: 31}


def came_in(n: int, joined: int) -> dict[str, Any]:
    """Return number `n` of a mailbox, which tells that its user came into a hot group."""
    body = {"conv": "g:a", "joined": joined, "hot": True}
    return mailbox(n, 1) | {"conv": "s:ann", "kind": "group_joined", "body": body}


@pytest.mark.parametrize("told", [mailbox(5, 20) | {"kind": "hot"}, came_in(5, 21)])
@pytest.mark.parametrize("standing", ["level", "behind"])
def test_a_hot_stream_that_the_server_begins_later_is_brought_from_where_it_began(
    page: "playwright.Page", told: dict[str, Any], standing: str
) -> None:
    hot = "hot:g:a"
    by_page = ("page", {"head": 5, "oldest": 1, "frames": [told]})
    start, comes = {"level": (4, ("take", told)), "behind": (5, by_page)}[standing]
    steps = [
        opened(standing, start, **{"g:a": {"head": 30, "start": 30}}),
        comes,
        ("take", mailbox(31, 31, hot)),
        ("page", {"head": 31, "oldest": 1, "frames": [mailbox(n, n, hot) for n in (21, 30, 31)]}),
    ]
    seen = follow(page, KEPT, *steps)
    numbers = [(stream, seq) for stream, _, seq in seen["messages"]]
    assert numbers == [("mailbox", told["seq"]), (hot, 21), (hot, 30), (hot, 31)]
    assert (seen["syncs"], seen["resets"]) == ([], [])


HOT_AGAIN = {"kind": "hot"}


def hot_page(*numbers: int) -> Any:
    """Return the step of a page of a hot stream."""
    frames = [mailbox(n, n, "hot:g:a") for n in numbers]
    return ("page", {"head": numbers[-1], "oldest": 1, "frames": frames})


def test_what_a_page_has_beyond_the_start_waits_for_its_push(page: "playwright.Page") -> None:
    hot = "hot:g:a"
    steps = [
        opened("behind", 5, **{"g:a": {"head": 22, "start": 22}}),
        ("page", {"head": 5, "oldest": 1, "frames": [mailbox(5, 20) | HOT_AGAIN]}),
        # Not hot after 23, and hot again with 26.
        hot_page(21, 22, 23, 27),
        *[("take", mailbox(23, 23, hot)), ("take", mailbox(6, 25))],
        *[("take", mailbox(7, 26) | HOT_AGAIN), ("take", mailbox(27, 27, hot))],
    ]
    seen = follow(page, KEPT, *steps)
    assert [seq for _, _, seq in seen["messages"]] == [20, 21, 22, 23, 25, 26, 27]


def test_the_mailbox_is_whole_before_pages_of_a_hot_stream(page: "playwright.Page") -> None:
    step, answer = opened("level", 4, **{"g:a": {"head": 30, "start": 30}})
    steps = [
        (step, answer | {"head": 6}),
        ("page", {"head": 6, "oldest": 1, "frames": [mailbox(5, 25), mailbox(6, 26) | HOT_AGAIN]}),
        # Of what is before 25, and then of what is after 26.
        *[hot_page(27, 30), hot_page(27, 30)],
        *[("take", mailbox(5, 25)), ("take", mailbox(31, 31, "hot:g:a"))],
    ]
    seen = follow(page, KEPT | {"hot": {"g:a": 22}}, *steps)
    assert [seq for _, _, seq in seen["messages"]] == [25, 26, 27, 30, 31]
    assert (seen["syncs"], seen["resets"]) == ([], [])


def test_the_mailbox_waits_while_a_hot_stream_is_brought(page: "playwright.Page") -> None:
    steps = [
        opened("level", 4, **{"g:a": {"head": 30, "start": 30}}),
        *[("take", mailbox(31, 31, "hot:g:a")), ("take", mailbox(5, 32))],
        hot_page(21, 30),
        ("flush", None),
    ]
    seen = follow(page, KEPT | {"hot": {"g:a": 20}}, *steps)
    assert [seq for _, _, seq in seen["messages"]] == [21, 30, 31, 32]
    assert {ack["stream"]: ack["n"] for ack in seen["told"]} == {"mailbox": 5, "hot:g:a": 31}


def was_hot() -> list[dict[str, Any]]:
    """Return a mailbox in which a group becomes hot with 20, and is not hot with 25 any more."""
    return [mailbox(5, 20) | HOT_AGAIN, mailbox(6, 25)]


def test_what_can_not_be_had_is_told_and_what_is_new_goes_on(page: "playwright.Page") -> None:
    seen = follow(page, KEPT, opened("behind", 9), ("take", mailbox(10)), ("refuse", None))
    assert seen["messages"] == [["mailbox", "g:a", 10]]
    assert seen["resets"] == [["mailboxreset", "mailbox"]]
    trimmed = {"epoch": "e1", "head": 9, "oldest": 8, "frames": [mailbox(8), mailbox(9)]}
    seen = follow(page, KEPT, opened("behind", 9), ("page", trimmed))
    assert [seq for _, _, seq in seen["messages"]] == [8, 9]
    assert seen["resets"] == [["mailboxreset", "mailbox"]]


def test_another_epoch_begins_anew(page: "playwright.Page") -> None:
    seen = follow(page, KEPT, opened("level", 2, epoch="e2"), ("take", mailbox(3)))
    assert (seen["standings"], seen["messages"]) == (["reset"], [["mailbox", "g:a", 3]])
    assert seen["hello"] == {"epoch": "e2", "since": 3, "hot": {}}


def test_a_group_that_turns_hot_and_cool_is_told_once_and_in_order(
    page: "playwright.Page",
) -> None:
    hot = "hot:g:a"
    steps = [mailbox(5, 20), mailbox(21, 21, hot), mailbox(23, 23, hot), mailbox(6, 23)]
    steps += [mailbox(7, 24), mailbox(23, 23, hot)]
    taken = [("take", step) for step in steps]
    seen = follow(page, KEPT, opened("level", 4), *taken, ("flush", None))
    assert [seq for _, _, seq in seen["messages"]] == [20, 21, 23, 24]
    assert {ack["stream"]: ack["n"] for ack in seen["told"]} == {"mailbox": 7, hot: 23}
    assert seen["hello"] == {"epoch": "e1", "since": 7, "hot": {"g:a": 23}}


def test_the_outbox_sends_one_of_each_conversation_and_survives(page: "playwright.Page") -> None:
    assert page.evaluate(OUTBOX) == [["1", "3"], [], ["2"], ["2", "3"]]


def test_a_name_is_a_uid_however_it_is_written(page: "playwright.Page") -> None:
    names = ["Ann Lee", "  ann lee ", "Zoë", "اسم", "x" * 40, "é" * 40]
    told = page.evaluate(NAMES, names)
    assert told[0] == told[1] == ["demo-ann_lee", "Ann Lee"]
    assert told[2] == ["demo-zo.eb.", "Zoë"]
    assert told[3][1] == "اسم"
    assert all(len(uid) <= 64 and uid.isascii() for uid, _ in told)
