"""A page shows another token before the present one ends."""

from collections.abc import Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

RENEW = """async ([tokens, warnings]) => {
  const sockets = [];
  class FakeSocket {
    readyState = 0;
    sent = [];
    constructor() {
      sockets.push(this);
      setTimeout(() => { this.readyState = 1; this.onopen?.(); });
    }
    close() { this.readyState = 3; }
    push(frame) { this.onmessage?.({ data: JSON.stringify([frame]) }); }
    send(text) {
      const { id, op, token } = JSON.parse(text);
      this.sent.push([op, token]);
      const ok = op === "hello" ? { uid: "u", node: "one", session: "s", rooms: {} } : {};
      setTimeout(() => this.push({ reply: id, ok }));
    }
  }
  const { RelaymeshClient } = await import("/relaymesh.js");
  globalThis.WebSocket = FakeSocket;
  const later = globalThis.setTimeout;
  const pause = (ms) => new Promise((resolve) => later(resolve, ms));
  globalThis.setTimeout = (work, ms, ...rest) => later(work, Math.min(ms ?? 0, 20), ...rest);
  const source = async () => {
    const token = tokens.length > 1 ? tokens.shift() : tokens[0];
    if (!token) throw new Error("the back end is away");
    return token;
  };
  const token = tokens.length > 1 ? source : tokens[0];
  const client = new RelaymeshClient({ endpoints: [{ url: "ws://one/v1" }], token });
  const events = [];
  client.on("disconnected", (detail) => events.push(detail));
  await new Promise((resolve) => client.on("connected", resolve));
  for (let warning = 0; warning < warnings; warning += 1) {
    sockets[0].push({ push: "expiring", expires_ms: 1 });
    await pause(150);
  }
  client.close();
  return { sent: sockets.map(({ sent }) => sent.filter(([op]) => op !== "ping")), events };
}"""


@pytest.fixture
def page(gateway: str, browser: "playwright.Browser") -> Iterator["playwright.Page"]:
    """A page of the gateway's that runs nothing by itself."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gateway}/relaymesh.js")
    yield page
    context.close()


@pytest.mark.parametrize(
    ("tokens", "warnings", "shown"),
    [
        (["first", "second", "third"], 2, ["second", "third"]),
        (["first", "", "first", "second"], 1, ["second"]),
        (["first"], 1, []),
    ],
    ids=["each time another", "a back end that is away, then slow", "a plain token"],
)
def test_a_fresh_token_is_shown_on_the_same_connection(
    page: "playwright.Page", tokens: list[str], warnings: int, shown: list[str]
) -> None:
    seen: dict[str, Any] = page.evaluate(RENEW, [tokens, warnings])
    assert seen["sent"] == [[["hello", "first"], *(["refresh", token] for token in shown)]]
    assert seen["events"] == []
