import importlib
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "measuring.md"


EDGE = ["edge", "edge.slow", "edge.idle", "tls", "compression", "storm", "peers"]
MESH = ["room", "isolation", "likes", "hop", "links", "scale", "copies", "ways", "sessions", "im"]
CHAOS = [
    *("chaos.room", "chaos.im", "chaos.hot_room", "chaos.revoke"),
    *("chaos.rolling", "chaos.overload"),
]
DEMO = ["hot_room"]


@pytest.mark.parametrize("name", [*EDGE, *MESH, *CHAOS, *DEMO])
def test_the_document_says_what_the_module_says(name: str) -> None:
    about = importlib.import_module(f"bench.{name}").__doc__ or ""
    _, _, keys = about.strip().partition("\n")
    assert keys.strip() in DOCUMENT.read_text()
