"""The console in a real Chromium: of a real cluster while a relay is killed, and of a large one."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.made_status import made_status

if TYPE_CHECKING:
    from tests.browser.conftest import Up

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

SEEN_MS = 15_000
LINKS_OF = ".link[data-from='local/{0}'], .link[data-to='local/{0}']"


class Console:
    """The page, and what it complained of."""

    def __init__(self, browser: Any, url: str, width: int, scheme: str, said: Any = None) -> None:
        view = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=view, color_scheme=scheme)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.looks = 0
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._heard)
        if said is not None:
            self.page.route("**/v1/status", lambda route: self._say(route, said))
        self.page.goto(f"{url}/console")

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def _say(self, route: Any, said: Callable[[int, dict[str, str]], Any]) -> None:
        self.looks += 1
        answer = said(self.looks, route.request.headers)
        if isinstance(answer, int):
            route.fulfill(status=answer, json={"error": {"code": "forbidden", "message": "no"}})
        else:
            route.fulfill(json=answer)

    def sees(self, selector: str, count: int = 1) -> None:
        playwright.expect(self.page.locator(selector)).to_have_count(count, timeout=SEEN_MS)

    def shows(self, selector: str, text: str) -> None:
        playwright.expect(self.page.locator(selector)).to_contain_text(text, timeout=SEEN_MS)


Opened = Callable[..., Console]


@pytest.fixture
def opened(browser: Any, gateway: str) -> Iterator[Opened]:
    """Opens consoles, and looks at the end whether they complained."""
    consoles: list[Console] = []

    def open_one(said: Any = None, width: int = 1280, scheme: str = "dark") -> Console:
        consoles.append(Console(browser, gateway, width, scheme, said))
        return consoles[-1]

    yield open_one
    problems = [problem for each in consoles for problem in each.problems]
    for each in consoles:
        each.context.close()
    assert problems == [], "the console complained"


def test_a_killed_relay_is_shown_down_and_its_links_gone_until_it_is_back(
    cluster: "Up", opened: Opened, state: Path, tmp_path: Path
) -> None:
    console = opened()
    console.sees(".node[data-node=relay-1][data-state=up]")
    console.sees(LINKS_OF.format("relay-1"), 4)
    console.shows("#health", "All is well")
    killed = json.loads((state / "cluster.json").read_text())["nodes"]["relay-1"]["pid"]
    with cluster.without_restarts():
        os.kill(killed, signal.SIGKILL)
        console.sees(LINKS_OF.format("relay-1"), 0)
        console.sees(".node[data-node=relay-1][data-state=down]")
        console.sees(LINKS_OF.format("relay-2"), 4)
        console.shows("#health", "1 node is down")
        console.shows("#alerts", "relay-1 has not been heard of for")
        console.shows("#nodes tr[data-state=down] th", "relay-1")
        take_picture(console, tmp_path, "killed")
    console.sees(".node[data-node=relay-1][data-state=up]")
    console.sees(LINKS_OF.format("relay-1"), 4)
    console.shows("#health", "All is well")


def test_what_the_links_carry_is_drawn_and_told(
    gateway: str, opened: Opened, tmp_path: Path
) -> None:
    room = f"console-{time.monotonic_ns()}"
    console = opened()
    context = console.context.browser.new_context()
    member = context.new_page()
    member.goto(f"{gateway}/?room={room}&name=Ann&node=access-1")
    member.wait_for_selector("#dot[data-state=connected]", timeout=SEEN_MS)
    carried = ".link[data-from='local/access-1'] path[data-lane=normal][data-flow=in]"
    deadline = time.monotonic() + SEEN_MS / 1000
    while not console.page.locator(carried).count() and time.monotonic() < deadline:
        for _ in range(20):
            member.fill("#text", "hello")
            member.press("#text", "Enter")
    assert console.page.locator(carried).count() >= 1
    console.shows("#rooms", room)
    console.page.mouse.move(*console.page.evaluate(MIDDLE_OF_A_LINK))
    console.shows("#card", "access-1 → relay-")
    console.page.locator(".node[data-node=access-1]").click()
    console.shows("#card", "Deliveries /s")
    take_picture(console, tmp_path, "traffic")
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (400, "light")])
def test_three_large_regions_have_room_for_every_node(
    opened: Opened, tmp_path: Path, width: int, scheme: str
) -> None:
    console = opened(lambda look, _: made_status(look), width, scheme)
    console.sees(".node", 132)
    console.sees(".region", 3)
    console.sees(".node[data-state=down]")
    console.sees(".trunk", 3)
    console.page.wait_for_timeout(1500)  # for the browser's own transitions
    take_picture(console, tmp_path, f"large-{width}-{scheme}")
    assert console.page.evaluate(OVERLAPS) == []
    assert console.page.evaluate("document.documentElement.scrollWidth") <= width


MIDDLE_OF_A_LINK = """() => {
  const path = document.querySelector(".link[data-from='local/access-1'] .hit");
  const middle = path.getPointAtLength(path.getTotalLength() / 2);
  const { x, y } = middle.matrixTransform(path.getScreenCTM());
  return [x, y];
}"""

OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll(".node")].map((node) => {
    const box = node.querySelector(".shape").getBoundingClientRect();
    const radius = Math.min(box.width, box.height) / 2;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    return { name: node.dataset.key, region: node.dataset.region, x, y, radius };
  });
  const panels = [...document.querySelectorAll(".region")].map((each) => ({
    name: each.dataset.key, box: each.querySelector("rect").getBoundingClientRect(),
  }));
  const wrong = [];
  for (const [index, a] of boxes.entries()) {
    const { box } = panels.find(({ name }) => name === a.region);
    const inside = a.x > box.left && a.x < box.right && a.y > box.top && a.y < box.bottom;
    if (!inside) wrong.push(`${a.name} is not in its region`);
    for (const b of boxes.slice(index + 1)) {
      const near = (a.radius + b.radius) * 0.75;
      if (Math.hypot(a.x - b.x, a.y - b.y) < near) wrong.push(`${a.name} on ${b.name}`);
    }
  }
  return wrong;
}"""


def test_a_closed_status_asks_for_a_token_and_keeps_it_in_memory_alone(opened: Opened) -> None:
    def said(look: int, headers: dict[str, str]) -> Any:
        return made_status(look) if headers.get("authorization") == "Bearer secret-1" else 403

    console = opened(said)
    console.page.fill("#ask-token", "secret-0")
    console.page.press("#ask-token", "Enter")
    console.shows("#ask-problem", "does not take this token")
    console.page.fill("#ask-token", "secret-1")
    console.page.press("#ask-token", "Enter")
    console.sees(".region", 3)
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert "secret" not in console.page.evaluate(kept)
    console.page.reload()
    playwright.expect(console.page.locator("#ask")).to_be_visible(timeout=SEEN_MS)
    console.page.click("#ask-cancel")
    console.page.wait_for_timeout(1500)
    assert not console.page.is_visible("#ask"), "who has declined is not asked again"


def test_a_gateway_that_is_away_is_said_and_the_last_picture_stays(opened: Opened) -> None:
    console = opened(lambda look, _: made_status(look) if look < 3 else 503)
    console.sees(".region", 3)
    console.shows("#health", "The gateway does not answer")
    console.shows("#seen", "as it was")
    console.sees(".node", 132)


def test_a_region_that_does_not_answer_is_shown_as_such(opened: Opened) -> None:
    def said(look: int, _: dict[str, str]) -> Any:
        status = made_status(look)
        status["regions"][0] = {"region": "asia", "answers": False, "nodes": [], "lost": []}
        return status

    console = opened(said)
    console.shows(".region[data-answers=no]", "does not answer")
    console.sees(".node", 88)


def test_the_page_may_speak_to_its_gateway_alone(gateway: str) -> None:
    with urllib.request.urlopen(f"{gateway}/console/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "connect-src 'self';" in policy
    assert "script-src 'self';" in policy


def take_picture(console: Console, tmp_path: Path, name: str) -> None:
    folder = Path(os.environ.get("CONSOLE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"console-{name}.png"
    console.page.screenshot(path=str(picture), full_page=True)
    assert picture.stat().st_size > 20_000
