"""A page logs in, keeps its login, and refreshes once however many ask and pages there are."""

from collections.abc import Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser

FAKE = """
  const asked = [];
  let given = 0;
  globalThis.life = 900_000;
  globalThis.fetch = async (url, { body, headers }) => {
    const path = new URL(url).pathname.split("/").pop();
    const sent = JSON.parse(body);
    asked.push([path, sent.refresh_token ?? null, headers.Authorization ?? null]);
    const bad = path === "refresh" && sent.refresh_token !== `refresh-${given}`;
    if (bad) return Response.json({ code: "token_revoked", detail: "no" }, { status: 401 });
    given += 1;
    return Response.json({
      uid: "u-1", access_token: `access-${given}`, refresh_token: `refresh-${given}`,
      access_expires_ms: Date.now() + 3_600_000, access_token_s: globalThis.life / 1000,
    });
  };
  const { Login } = await import("/relaymesh.js");
  localStorage.clear();
  const how = { storage: localStorage };
"""


@pytest.fixture
def page(gateway: str, browser: Any) -> Iterator[Any]:
    """A page of the gateway's that runs nothing by itself."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gateway}/relaymesh.js")
    yield page
    context.close()


def run(page: Any, work: str) -> Any:
    return page.evaluate(f"async () => {{ {FAKE} {work} }}")


def test_many_who_ask_refresh_once(page: Any) -> None:
    found = run(
        page,
        """
        globalThis.life = 0;
        const login = await Login.logIn(location.origin, { name: "ann", password: "pw", ...how });
        globalThis.life = 900_000;
        const tokens = await Promise.all([login.token(), login.token(), login.token()]);
        return [tokens, asked, login.uid];
        """,
    )
    asked = [["login", None, None], ["refresh", "refresh-1", None]]
    assert found == [["access-2"] * 3, asked, "u-1"]


def test_two_pages_share_a_kept_login(page: Any) -> None:
    found = run(
        page,
        """
        globalThis.life = 0;
        const one = await Login.logIn(location.origin, { name: "ann", password: "pw", ...how });
        const two = Login.kept(location.origin, how);
        globalThis.life = 900_000;
        const tokens = await Promise.all([one.token(), two.token()]);
        await two.logOut();
        return [tokens, asked.length, asked.at(-1), Login.kept(location.origin, how)];
        """,
    )
    assert found == [["access-2"] * 2, 3, ["logout", None, "Bearer access-2"], None]


def test_a_login_that_has_ended_says_so(page: Any) -> None:
    found = run(
        page,
        """
        globalThis.life = 0;
        const login = await Login.logIn(location.origin, { name: "ann", password: "pw" });
        given += 1;
        return login.token().catch((error) => [error.name, error.code]);
        """,
    )
    assert found == ["Refused", "token_revoked"]
