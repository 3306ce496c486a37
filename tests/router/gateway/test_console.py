"""The console's files, and the status that they show."""

from pathlib import Path

import pytest

from backends.leases.interface import Lost
from tests.router.gateway_parts import LEASES, gateway
from tests.router.parts import lease

SOURCES = Path(__file__).parents[3] / "clients" / "js" / "console"


async def test_the_console_is_served_and_may_speak_to_its_gateway_alone() -> None:
    async with gateway(*LEASES, console=str(SOURCES)) as it:
        entered = await it.client.get("/console")
        assert (entered.status_code, entered.headers["location"]) == (307, "/console/")
        page = await it.client.get("/console/")
        assert "<title>relaymesh · console</title>" in page.text
        policy = page.headers["content-security-policy"]
        assert "connect-src 'self';" in policy
        assert "default-src 'none'" in policy
        module = await it.client.get("/console/console.js")
        assert module.headers["content-type"].startswith("text/javascript")
        assert (await it.client.get("/console/../pages.py")).status_code == 404


async def test_there_is_no_console_unless_its_folder_is_named(tmp_path: Path) -> None:
    async with gateway(*LEASES) as it:
        assert (await it.client.get("/console/")).status_code == 404
    with pytest.raises(FileNotFoundError, match=r"router\.gateway\.console: .*is missing"):
        async with gateway(*LEASES, console=str(tmp_path)):
            pass


async def test_nothing_in_the_page_comes_from_elsewhere_or_stands_inline() -> None:
    text = (SOURCES / "index.html").read_text()
    assert "style=" not in text
    assert "onclick" not in text
    for file in SOURCES.iterdir():
        content = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in content, file.name
        assert "https://" not in content, file.name
        assert "innerHTML" not in content, file.name


async def test_the_status_has_who_was_lost_and_what_to_look_at() -> None:
    async with gateway(*LEASES) as it:
        it.registry.gone = [Lost(lease("relay-9", "relay"), 7.0)]
        await it.gateway._presence.refresh()
        status = (await it.client.get("/v1/status")).json()
        assert [(node["id"], node["up"]) for node in status["lost"]] == [("relay-9", False)]
        first = status["alerts"][0]
        assert (first["alert"], first["node"]) == ("RelaymeshNodeDown", "relay-9")
        # The other region of this gateway's config is asked by a mesh that knows nothing of it.
        assert [(each["region"], each["answers"]) for each in status["regions"]] == [("us", False)]
