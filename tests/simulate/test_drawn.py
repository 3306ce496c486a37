"""Rooms, viewers and nodes as they are drawn."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.deployment import Deployment, shares
from simulation.placement import at_home
from simulation.rooms import harmonic, rooms
from simulation.sampling import binomial, occupied, poisson, spread, whole

few = settings(max_examples=25)


@few
@given(st.integers(0, 100_000), st.integers(1, 200), st.integers())
def test_a_spread_loses_nobody(balls: int, bins: int, seed: int) -> None:
    counts = spread(Random(seed), balls, bins)
    assert len(counts) == bins
    assert sum(counts) == balls
    assert min(counts) >= 0


@few
@given(st.integers(0, 10_000), st.integers(1, 100), st.integers())
def test_no_more_nodes_are_occupied_than_there_are_viewers(
    balls: int, bins: int, seed: int
) -> None:
    nodes = occupied(Random(seed), balls, bins)
    assert nodes == sorted(set(nodes))
    assert len(nodes) <= min(balls, bins)
    assert bool(nodes) == bool(balls)
    assert all(0 <= node < bins for node in nodes)


def test_somebody_is_always_somewhere() -> None:
    random = Random(1)
    assert all(occupied(random, 2, 2) for _ in range(200))


def test_drawings_have_the_mean_that_they_should() -> None:
    random = Random(1)
    for trials, chance in ((20, 0.3), (5000, 0.001), (5000, 0.4), (5000, 0.999)):
        mean = sum(binomial(random, trials, chance) for _ in range(2000)) / 2000
        assert abs(mean - trials * chance) < 0.05 * trials * chance + 0.1
    for expected in (0.5, 20, 500):
        mean = sum(poisson(random, expected) for _ in range(2000)) / 2000
        assert abs(mean - expected) < 0.05 * expected + 0.1
    assert abs(sum(whole(random, 2.3) for _ in range(2000)) / 2000 - 2.3) < 0.05


def test_the_harmonic_sum_is_the_same_beyond_what_is_summed() -> None:
    for zipf in (0.0, 0.8, 1.0, 1.3):
        exact = sum(rank**-zipf for rank in range(1, 150_001))
        assert abs(harmonic(150_000, zipf) - exact) < 1e-6 * exact


@few
@given(st.integers(1, 20_000), st.integers(1, 1000), st.floats(0, 2), st.integers())
def test_rooms_that_all_stand_for_themselves_have_all_clients(
    clients: int, count: int, zipf: float, seed: int
) -> None:
    drawn = rooms(clients, count, zipf, Random(seed))
    assert sum(room.viewers for room in drawn) == clients
    assert all(room.weight == 1.0 for room in drawn)
    assert max(drawn, key=lambda room: room.viewers).name == "room-1"


def test_a_sample_stands_for_all_clients_and_rooms() -> None:
    drawn = rooms(100_000_000, 1_000_000, 1.0, Random(1))
    assert len(drawn) < 10_000
    assert abs(sum(room.weight for room in drawn) - 1_000_000) < 1
    viewers = sum(room.weight * room.viewers for room in drawn)
    assert abs(viewers - 100_000_000) < 100_000


@few
@given(st.integers(1, 50_000), st.integers(1, 8), st.floats(0, 1), st.integers())
def test_every_viewer_is_in_one_region(
    clients: int, regions: int, abroad: float, seed: int
) -> None:
    deployment = Deployment(
        clients=clients, access=regions, routers=regions, regions=regions, abroad=abroad
    )
    random = Random(seed)
    for each in at_home(deployment, rooms(clients, 20, 1.0, random), random):
        assert sum(each.viewers) == each.room.viewers
        assert len(each.viewers) == regions
        assert each.home not in each.abroad


@few
@given(st.integers(0, 10_000), st.integers(1, 50))
def test_shares_are_as_equal_as_can_be(count: int, parts: int) -> None:
    each = shares(count, parts)
    assert sum(each) == count
    assert max(each) - min(each) <= 1
