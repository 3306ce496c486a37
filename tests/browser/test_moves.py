"""A page follows orders to move: by the rules, and on a real cluster."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

SEEN_MS = 15_000

MOVES = """async ([steps, tokens]) => {
  // Nodes in memory: each answers hello; `dead` ones close, a bad resume token is refused.
  const sockets = [];
  class FakeSocket {
    constructor(url) {
      Object.assign(this, { url, readyState: 0, sent: [] });
      sockets.push(this);
      setTimeout(() => (url.includes("dead") ? this.end(1006) : this.open()));
    }
    open() { this.readyState = 1; this.onopen?.(); }
    end(code) { this.readyState = 3; this.onclose?.({ code, reason: "" }); }
    close(code) { this.closedWith = code; this.readyState = 3; }
    push(...frames) { this.onmessage?.({ data: JSON.stringify(frames) }); }
    send(text) {
      const frame = JSON.parse(text);
      this.sent.push(frame);
      setTimeout(() => this.readyState === 1 && this.push(this.answer(frame)));
    }
    answer({ id, op, resume, join = [], room }) {
      if (resume === "used") {
        const error = { code: "token_invalid", message: "used", field: "resume" };
        return { reply: id, error };
      }
      const stand = (name) => ({ room: name, epoch: "e", role: "viewer", online: 1, likes: 0,
        carrier: "r", streams: { normal: { epoch: "e", seq: 0 } } });
      const rooms = Object.fromEntries(join.map((each) => [each.room, stand(each.room)]));
      const node = new URL(this.url).hostname;
      if (op === "hello") return { reply: id, ok: { uid: "u", node, session: "s", rooms } };
      return { reply: id, ok: op === "join" ? stand(room) : {} };
    }
  }
  const { RelaymeshClient } = await import("/relaymesh.js");
  globalThis.WebSocket = FakeSocket;
  const endpoints = [{ url: "ws://one/v1" }];
  const client = new RelaymeshClient({ endpoints, token: () => tokens.shift() ?? "t" });
  const events = [];
  for (const type of ["moved", "disconnected", "push"]) {
    client.on(type, (detail) => events.push([type, detail]));
  }
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const live = () => sockets.findLast((socket) => socket.readyState === 1);
  await client.join("lobby");
  for (const [step, detail] of steps) {
    if (step === "push") live().push(detail);
    if (step === "end") live().end(detail);
    if (step === "leave") await client.leave(detail);
    if (step === "join") await client.join(detail);
    if (step === "pause") await pause(detail);
  }
  client.close();
  const hellos = sockets.map(({ url, sent }) => [new URL(url).hostname,
    sent.filter(({ op }) => op === "hello")]);
  return { events, hellos, closed: sockets.map(({ closedWith }) => closedWith ?? null) };
}"""


@pytest.fixture
def page(gateway: str, browser: "playwright.Browser") -> Iterator["playwright.Page"]:
    """A page of the gateway's that runs nothing by itself."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gateway}/relaymesh.js")
    yield page
    context.close()


def order(*nodes: str, **fields: Any) -> Any:
    endpoints = [{"url": f"ws://{node}/v1", "node": node} for node in nodes]
    told = {"push": "move", "room": "lobby", "endpoints": endpoints, "resume": "r1"}
    return ("push", {**told, "delay_ms": 0, "deadline_ms": 9000, **fields})


def chat(seq: int) -> Any:
    return (
        "push",
        {"push": "chat", "room": "lobby", "priority": "normal", "epoch": "e", "seq": seq},
    )


def follow(page: "playwright.Page", *steps: Any, tokens: list[str] | None = None) -> dict[str, Any]:
    result: dict[str, Any] = page.evaluate(MOVES, [[*steps, ("pause", 60)], tokens or []])
    return result


def test_a_move_is_followed_with_token_and_positions(page: "playwright.Page") -> None:
    seen = follow(page, chat(1), order("two"), ("pause", 60), chat(2), tokens=["t1", "t2"])
    (_, first), (where, (hello,)) = seen["hellos"]
    assert (where, hello["resume"], hello["token"]) == ("two", "r1", "t2")
    assert "resume" not in first[0]
    assert hello["join"] == [{"room": "lobby", "since": {"normal": {"epoch": "e", "seq": 1}}}]
    moved = dict(seen["events"])["moved"]
    assert (moved["room"], moved["oldNode"], moved["newNode"]) == ("lobby", "one", "two")
    assert [detail["seq"] for kind, detail in seen["events"] if kind == "push"] == [1, 2]
    assert seen["closed"] == [1000, 1000]


def test_dead_endpoints_are_passed_over_and_the_present_one_goes_on(
    page: "playwright.Page",
) -> None:
    seen = follow(page, order("dead-1", "two"))
    assert dict(seen["events"])["moved"]["newNode"] == "two"
    alone = follow(page, order("dead-1"), ("pause", 60), chat(1))
    assert [kind for kind, _ in alone["events"]] == ["push"]
    assert [where for where, hellos in alone["hellos"] if hellos] == ["one"]


def test_a_token_that_is_refused_is_left_out(page: "playwright.Page") -> None:
    seen = follow(page, order("two", resume="used"))
    hellos = seen["hellos"][1][1]
    assert ["resume" in hello for hello in hellos] == [True, False]
    assert dict(seen["events"])["moved"]["newNode"] == "two"


def test_the_last_order_counts_and_none_for_a_room_that_was_left(page: "playwright.Page") -> None:
    seen = follow(page, order("two", delay_ms=20), order("three", delay_ms=30, room=""))
    assert [where for where, _ in seen["hellos"]] == ["one", "three"]
    left = follow(page, order("two", delay_ms=20), ("leave", "lobby"))
    assert [where for where, _ in left["hellos"]] == ["one"]


def test_an_order_ends_with_its_connection(page: "playwright.Page") -> None:
    seen = follow(page, order("two", delay_ms=30), ("end", 4010), ("pause", 500))
    assert [where for where, _ in seen["hellos"]] == ["one", "one"]
    assert dict(seen["events"])["disconnected"]["code"] == 4010


@pytest.mark.parametrize("bad", [{"endpoints": None}, {"delay_ms": -1}, {"resume": 7}])
def test_an_order_that_makes_no_sense_is_ignored(page: "playwright.Page", bad: Any) -> None:
    seen = follow(page, order("two", **bad), chat(1))
    assert [where for where, _ in seen["hellos"]] == ["one"]
    assert [kind for kind, _ in seen["events"]] == ["push"]


def test_a_page_is_moved_when_its_node_drains(
    gateway: str, browser: "playwright.Browser", state: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gateway}/?room=moves-{time.monotonic_ns()}&name=Ann&node=access-1")
    playwright.expect(page.locator("#node")).to_have_text("access-1", timeout=SEEN_MS)
    say(page, "before")
    port = gateway.rpartition(":")[2]
    flags = ["--port-base", port, "--state-dir", str(state)]
    drain = subprocess.Popen([sys.executable, "-m", "ops", "drain", "access-1", *flags])
    try:
        playwright.expect(page.locator("#state")).to_have_text("Moved to access-2", timeout=SEEN_MS)
    finally:
        assert drain.wait(timeout=60) == 0
    say(page, "after")
    playwright.expect(page.locator("#wire-node")).to_have_text("access-2")
    playwright.expect(page.locator("#wire-faults")).to_have_text("0 · 0 · 0")
    context.close()


def say(page: "playwright.Page", text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")
    seen = page.locator(".message:not(.pending) .body").filter(has_text=text)
    playwright.expect(seen.first).to_be_visible(timeout=SEEN_MS)
