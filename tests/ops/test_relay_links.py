"""The links between regions as a relay's config file says them."""

from pathlib import Path

import pytest

from ops.config.load import load
from ops.errors import Refusal
from relay.settings import Settings

TEXT = """
[node]
region = "REGION"
[relay.regions]
names = ["eu", "us", "asia"]
im = "eu"
[[relay.links]]
region = "us"
relays = ["tcp://10.2.0.10:7730"]
[[relay.links]]
region = "asia"
relays = ["tcp://10.3.0.10:7730", "tcp://10.3.0.11:7730"]
"""


def read(tmp_path: Path, region: str, *changes: tuple[str, str]) -> Settings:
    text = TEXT.replace("REGION", region)
    for old, new in changes:
        text = text.replace(old, new)
    file = tmp_path / "relay.toml"
    file.write_text(text)
    own = load("relay", file, {}).own
    assert isinstance(own, Settings)
    return own


def test_links_are_tables_in_the_file(tmp_path: Path) -> None:
    links = read(tmp_path, "eu").links
    assert [(link.region, len(link.relays)) for link in links] == [("us", 1), ("asia", 2)]


@pytest.mark.parametrize(
    ("region", "change", "said"),
    [
        ("mars", ("", ""), "node.region: expected 'eu' or 'us' or 'asia'"),
        ("us", ("", ""), "relay.links: region 'us' is this relay's own"),
        ("eu", ('region = "asia"', 'region = "us"'), "relay.links: region 'us' is there twice"),
        ("eu", ('region = "asia"', 'region = "x"'), "relay.links: region 'x' is none of"),
        ("eu", ("relays =", "relay ="), "relay.links: object"),
        ("eu", ('"us", "asia"]', '"us", "us"]'), "names: region 'us' is there twice"),
        ("eu", ("tcp://10.2.0.10:7730", "somewhere"), "region 'us': 'somewhere' is neither"),
    ],
    ids=["mars", "own", "twice", "unknown", "key", "names", "address"],
)
def test_what_can_not_be_meant_is_refused_by_name(
    tmp_path: Path, region: str, change: tuple[str, str], said: str
) -> None:
    with pytest.raises(Refusal) as caught:
        read(tmp_path, region, change)
    assert said in str(caught.value)
