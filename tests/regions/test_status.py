"""What one gateway shows of all regions."""

from typing import Any

import pytest
import trio

from bench.regions.world import World
from tests.regions.people import PATIENCE_S

pytestmark = pytest.mark.regions


async def status(world: World, region: str) -> dict[str, Any]:
    """Return what a gateway of `region` says."""
    shown: dict[str, Any] = await world.ask(region, "/v1/status")
    return shown


async def until_it_answers(
    world: World, region: str, other: str, *, expected: bool
) -> dict[str, Any]:
    """Wait until a gateway of `region` says whether `other` answers as expected; return that."""
    with trio.fail_after(PATIENCE_S):
        while True:
            shown = await status(world, region)
            if {each["region"]: each["answers"] for each in shown["regions"]}[other] is expected:
                return shown
            await trio.sleep(0.2)


def links_of(shown: dict[str, Any], region: str, own: str) -> bool:
    """Say whether each node of `region` shows its links: to that region's relays, and theirs to
    those of `own`."""
    (other,) = (each for each in shown["regions"] if each["region"] == region)
    relays = {node["id"] for node in other["nodes"] if node["role"] == "relay"}
    ours = {node["id"] for node in shown["nodes"] if node["role"] == "relay"}
    return all(
        node["status"]["regions"][own]["uplinks"].keys() == ours
        if node["role"] == "relay"
        else node["status"]["uplinks"].keys() == relays
        for node in other["nodes"]
    )


async def test_a_gateway_shows_the_nodes_and_links_of_every_region(world: World) -> None:
    shown = await until_it_answers(world, "eu", "us", expected=True)
    assert shown["region"] == "eu"
    (us,) = (each for each in shown["regions"] if each["region"] == "us")
    assert {node["role"] for node in us["nodes"]} == {"access", "relay", "router", "logic"}
    with trio.fail_after(PATIENCE_S):  # nodes tell of their links when they renew their leases
        while not links_of(await status(world, "eu"), "us", "eu"):
            await trio.sleep(0.2)
    alerts = {each["alert"] for each in (await status(world, "eu"))["alerts"]}
    assert "RelaymeshRegionSilent" not in alerts


async def test_a_region_that_is_cut_off_is_said_and_seen_again(world: World) -> None:
    world.cut("ap")
    shown = await until_it_answers(world, "eu", "ap", expected=False)
    assert ("RelaymeshRegionSilent", "ap") in {
        (each["alert"], each["region"]) for each in shown["alerts"]
    }
    world.heal("ap")
    await until_it_answers(world, "eu", "ap", expected=True)
