"""Two real Chromium pages on two access nodes of a real cluster share one live room."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

SEEN_MS = 8000


class Page:
    """A page in the room, and what it printed to its console."""

    def __init__(
        self, browser: "playwright.Browser", url: str, query: str, width: int, scheme: str
    ) -> None:
        view = {"width": width, "height": 800}
        self.context = browser.new_context(viewport=view, color_scheme=scheme)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._heard)
        self.page.goto(f"{url}/?{query}")
        self.page.wait_for_selector("#dot[data-state=connected]", timeout=SEEN_MS)
        self.page.wait_for_function("document.querySelector('#carrier').textContent != '–'")

    def _heard(self, message: "playwright.ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def say(self, text: str) -> None:
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def give(self, gift: str) -> None:
        self.page.click("#gifts")
        self.page.click(f"[data-gift={gift}]")
        self.page.click("#gifts")

    def sees(self, selector: str, text: str) -> None:
        where = self.page.locator(selector).filter(has_text=text).first
        playwright.expect(where).to_be_visible(timeout=SEEN_MS)

    def shows(self, selector: str, text: str) -> None:
        playwright.expect(self.page.locator(selector)).to_have_text(text, timeout=SEEN_MS)


@pytest.fixture
def pages(gateway: str, browser: "playwright.Browser") -> Iterator[tuple[Page, Page]]:
    """Ann, the host, on access-1 and Bob, on a phone, on access-2."""
    room = f"test-{time.monotonic_ns()}"
    ann = Page(browser, gateway, f"room={room}&name=Ann&host=1&node=access-1", 1280, "dark")
    bob = Page(browser, gateway, f"room={room}&name=Bob&node=access-2", 390, "light")
    yield ann, bob
    problems = ann.problems + bob.problems
    ann.context.close()
    bob.context.close()
    assert problems == [], "the pages complained on their consoles"


def test_pages_on_two_nodes_share_the_room(pages: tuple[Page, Page], tmp_path: Path) -> None:
    ann, bob = pages
    ann.shows("#node", "access-1")
    bob.shows("#node", "access-2")
    for page in pages:
        page.shows("#online", "2")
    ann.say('Hello <b>Bob</b>, "quoted" \\ and مرحبا')
    bob.sees(".message .body", 'Hello <b>Bob</b>, "quoted" \\ and مرحبا')
    bob.say("Hello Ann, from the other node")
    ann.sees(".message .body", "Hello Ann, from the other node")

    ann.page.click("#speak")
    ann.say("The show begins")
    for page in pages:
        page.sees("#spotlight", "The show begins")

    bob.give("rose")
    ann.sees(".gift-banner", "Bob sends Rose")
    for _ in range(7):
        bob.page.click("#like")
    ann.page.wait_for_selector(".heart", state="attached", timeout=SEEN_MS)
    for page in pages:
        page.shows("#likes", "7")
    _take_pictures(pages, tmp_path, "room")

    bob.give("crown")
    ann.sees("#show .act", "Bob gives a Crown")
    _take_pictures(pages, tmp_path, "crown")
    assert int(bob.page.inner_text("#own-latency")) < SEEN_MS


def test_page_resumes_on_another_node_when_its_own_is_killed(
    gateway: str, browser: "playwright.Browser", state: Path
) -> None:
    room = f"test-{time.monotonic_ns()}"
    ann = Page(browser, gateway, f"room={room}&name=Ann&node=access-1", 1280, "dark")
    bob = Page(browser, gateway, f"room={room}&name=Bob&node=access-2", 1280, "dark")
    ann.say("before")
    bob.sees(".message .body", "before")
    killed = json.loads((state / "cluster.json").read_text())["nodes"]["access-2"]["pid"]
    os.kill(killed, signal.SIGKILL)
    for number in range(5):
        ann.say(f"meanwhile {number}")
    bob.say("still here")
    ann.sees(".message .body", "still here")
    bob.sees(".message:not(.pending) .body", "still here")
    bob.sees(".message .body", "meanwhile 4")
    for page in (ann, bob):
        said = page.page.locator(".message .body").all_inner_texts()
        normal = [text for text in said if text.startswith("meanwhile")]
        assert normal == [f"meanwhile {number}" for number in range(5)]
        assert said.count("still here") == 1
        assert page.page.locator(".note").count() == 0, "something was lost"
        page.context.close()


def test_latecomer_sees_what_was_said(
    pages: tuple[Page, Page], gateway: str, browser: "playwright.Browser"
) -> None:
    ann, _ = pages
    ann.sees("#empty", "You are early")
    ann.say("first")
    ann.sees(".message:not(.pending) .body", "first")
    room = ann.page.inner_text("#room-name")
    late = Page(browser, gateway, f"room={room}&name=Cleo", 1280, "dark")
    late.sees(".message .body", "first")
    assert not late.page.is_visible("#empty")
    late.context.close()


def test_page_works_by_keyboard_alone(pages: tuple[Page, Page]) -> None:
    ann, bob = pages
    assert bob.page.evaluate("document.activeElement.id") == "text"
    for focused in ("send", "gifts", "like"):
        bob.page.keyboard.press("Tab")
        assert bob.page.evaluate("document.activeElement.id") == focused
    bob.page.keyboard.press("Enter")
    ann.shows("#likes", "1")
    bob.page.keyboard.press("Shift+Tab")
    bob.page.keyboard.press("Enter")
    bob.page.keyboard.press("Enter")
    ann.sees(".gift-banner", "Bob sends Rose")
    bob.page.keyboard.press("Escape")
    assert bob.page.evaluate("document.activeElement.id") == "gifts"


def test_a_host_moderates_at_a_name(
    gateway: str, browser: "playwright.Browser", tmp_path: Path
) -> None:
    room = f"test-{time.monotonic_ns()}"
    ann = Page(browser, gateway, f"room={room}&name=Ann&host=1&node=access-1", 1280, "dark")
    bob = Page(browser, gateway, f"room={room}&name=Bob&node=access-2", 390, "light")
    bob.say("spam spam")
    ann.sees(".message .body", "spam spam")

    def at_bob(action: str) -> None:
        ann.page.click(".message .name >> nth=0")
        ann.page.click(f"#menu [data-action={action}]")

    ann.page.click(".message .name >> nth=0")
    _take_pictures((ann, bob), tmp_path, "menu")
    ann.page.click("#menu [data-action=mute]")
    bob.sees(".note", "Ann muted Bob until")
    bob.say("more spam")
    bob.sees(".problem", "you are muted until")
    at_bob("unmute")
    bob.sees(".note", "Ann lets Bob speak again")

    ann.page.click("#slow")
    bob.sees(".note", "Ann slowed the chat: a message each 10 s")
    bob.say("one")
    ann.sees(".message .body", "one")
    bob.say("two")
    bob.sees(".problem", "slow mode: wait")
    ann.page.click("#slow")
    ann.sees(".note", "Ann ended slow mode")

    at_bob("grant")
    bob.sees(".note", "Ann made Bob a moderator")
    assert bob.page.is_visible("#slow")
    at_bob("revoke_role")
    bob.sees(".note", "Ann took the role of Bob back")
    assert not bob.page.is_visible("#slow")

    at_bob("kick")
    bob.sees("#removed", "You were sent out")
    _take_pictures((ann, bob), tmp_path, "kicked")
    bob.page.click("#removed-back")
    bob.say("back again")
    ann.sees(".message .body", "back again")
    at_bob("ban")
    bob.sees("#removed", "You are banned")
    assert not bob.page.is_visible("#removed-back")
    bob.page.evaluate("document.querySelector('#removed').close()")
    bob.page.evaluate("document.querySelector('#removed-back').onclick()")
    bob.sees("#removed", "A moderator has closed this room to you until")
    _take_pictures((ann, bob), tmp_path, "banned")
    problems = ann.problems + bob.problems
    for page in (ann, bob):
        page.context.close()
    assert problems == []


def _take_pictures(pages: tuple[Page, Page], tmp_path: Path, name: str) -> None:
    folder = Path(os.environ.get("DEMO_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    for who, page in zip(("ann", "bob"), pages, strict=True):
        picture = folder / f"{name}-{who}.png"
        page.page.screenshot(path=str(picture))
        assert picture.stat().st_size > 10_000
