"""Links and copies: what goes in comes out."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation import copies, heat
from simulation.copies import Copies
from simulation.deployment import Deployment
from simulation.links import links
from simulation.placement import Placed, Region, announce, at_home, regions
from simulation.rooms import rooms

deployments = st.builds(
    Deployment,
    clients=st.integers(1, 30_000),
    access=st.integers(4, 60),
    routers=st.integers(4, 10),
    regions=st.integers(1, 4),
    relays=st.integers(1, 8),
    threshold=st.sampled_from([1000, 100_000]),
    viewers_per_node=st.sampled_from([500, 5000]),
    room_spread=st.sampled_from([0, 100]),
    seed=st.integers(0, 1000),
)


def placed_in(deployment: Deployment) -> tuple[list[Placed], list[Region]]:
    random = Random(deployment.seed)
    drawn = rooms(deployment.clients, deployment.room_count, deployment.zipf, random)
    placed, all_regions = at_home(deployment, drawn, random), regions(deployment)
    heat.upgrade(deployment, placed, all_regions)
    for number, region in enumerate(all_regions):
        announce(deployment, placed, region, number, random)
    return placed, all_regions


def counted(deployment: Deployment) -> tuple[list[Placed], Copies]:
    placed, all_regions = placed_in(deployment)
    return placed, copies.count(deployment, placed, all_regions)


@settings(max_examples=15)
@given(deployments)
def test_copies_conserve_receivers(deployment: Deployment) -> None:
    placed, found = counted(deployment)
    for each in placed:
        for number, viewers in enumerate(each.viewers):
            pool = each.pool if number == each.home else 0
            assert each.receivers[number] <= (pool or viewers)
            assert bool(each.receivers[number]) == bool(viewers or pool)
    tiers, relays = found.tiers, found.relays.values()
    taken = sum(sum(relay.taken) for relay in relays)
    given_ = sum(sum(relay.given) for relay in relays)
    crossing = tiers["relay_relay"]
    assert taken == pytest.approx(tiers["router_relay"] + tiers["bus_relay"] + crossing)
    assert given_ == pytest.approx(tiers["relay_access"] + crossing)
    assert tiers["bus_router"] == pytest.approx(found.messages - found.hot_messages)
    assert tiers["access_client"] == pytest.approx(
        sum(
            copies.rates(deployment, each.room.viewers).messages * each.room.viewers
            for each in placed
        )
    )


@settings(max_examples=15)
@given(deployments)
def test_a_message_crosses_once_for_each_region_that_watches(deployment: Deployment) -> None:
    placed, _ = counted(deployment)
    for each in placed:
        of = copies.of_message(each, deployment.relays_per_region)
        assert of["relay_relay"] == len(each.abroad) < deployment.regions
        assert of["router_relay"] == (0 if each.pool else 1)
        assert of["access_client"] == each.room.viewers


def test_rooms_whose_viewers_are_together_take_fewer_copies() -> None:
    anywhere = Deployment(clients=20_000, access=40, routers=4)
    together = Deployment(clients=20_000, access=40, routers=4, room_spread=500)
    assert (
        counted(together)[1].tiers["relay_access"] < counted(anywhere)[1].tiers["relay_access"] / 2
    )


@pytest.mark.parametrize(("pair", "held"), [(10, 40), (100, 400), (1000, 16_000)])
def test_links_by_relays_grow_with_the_sum_and_those_of_a_mesh_with_the_product(
    pair: int, held: int
) -> None:
    found = links(Deployment(clients=1, access=pair, routers=pair))
    assert found["held"] == held
    assert found["full_mesh"] == pair * pair
    assert found["per_node"]["full_mesh_access"] == pair


@settings(max_examples=25)
@given(
    st.integers(1, 6), st.integers(1, 8), st.integers(1, 50), st.integers(1, 50), st.integers(1, 9)
)
def test_the_links_of_all_nodes_are_those_that_are_held(
    regions_: int, relays: int, access: int, routers: int, logic: int
) -> None:
    """Counted from the relays' ends, where each of two regions' relays has both directions."""
    found = links(
        Deployment(
            clients=1,
            access=access * regions_,
            routers=routers * regions_,
            logic=logic * regions_,
            regions=regions_,
            relays=relays,
        )
    )
    ends = found["per_node"]["relay"] * relays * regions_
    assert ends == found["held"] + found["logic"] + found["between_regions"]
