"""The real machines that are run: heat, likes, the joiner; batches, and what moves on a loss."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from proto.rendezvous import carrier
from simulation import edge, heat
from simulation.batching import FULL, batches_per_s, pace
from simulation.deployment import Deployment
from simulation.edge import Stream
from simulation.likes import merged
from simulation.loss import moved
from simulation.messages import messages
from simulation.placement import Placed, regions
from simulation.rooms import Room
from simulation.run import simulate

COURSE = ["normal", "preparing", "moving", "hot", "cooling", "normal"]


def upgraded(viewers: int, access: int) -> tuple[heat.Upgrades, Placed]:
    deployment = Deployment(clients=viewers, access=access, routers=1, viewers_per_node=5000)
    placed = Placed(Room("room-1", viewers, 1.0), 0, [viewers])
    return heat.upgrade(deployment, [placed], regions(deployment)), placed


def test_a_room_over_the_threshold_goes_hot_and_comes_back() -> None:
    found, placed = upgraded(20_000, access=10)
    course = found.courses[0][1]
    assert course.states == COURSE
    assert placed.pool == 5  # 20,000 viewers and a quarter more, 5,000 a node
    assert course.moved == 20_000 + 2_000  # all of them, and those who stay when the show is over
    assert max(found.moves_at.values()) == 500


def test_a_room_for_which_there_are_no_nodes_stays_where_it_is() -> None:
    found, placed = upgraded(100_000, access=4)
    assert found.courses[0][1].states == ["normal", "preparing", "normal"]
    assert found.no_capacity == 1
    assert placed.pool == 0


def test_a_room_below_the_threshold_is_left_alone() -> None:
    assert upgraded(9_999, access=10)[0].courses == []


def test_likes_go_up_once_a_flush_however_many_there_are() -> None:
    few, many = merged([1.0] * 20, Random(1)), merged([100.0] * 20, Random(1))
    assert many.frames > 50 * few.frames
    assert many.reports == 10.0
    assert many.counts <= 20 * many.reports


def test_messages_of_a_busy_room_leave_together() -> None:
    quiet = edge.run([Stream(5000, 1, 1.0)], 360, 0.0, Random(1))
    busy = edge.run([Stream(5000, 1, 200.0)], 360, 0.0, Random(1))
    assert quiet.joined < 1.1
    assert busy.joined > 4
    assert not busy.behind
    assert busy.deliveries == 5000 * busy.messages or busy.messages - busy.written < 50


def test_urgent_messages_go_before_normal_ones() -> None:
    found = edge.run([Stream(20_000, 0, 2.0), Stream(20_000, 1, 100.0)], 360, 0.0, Random(1))
    urgent, normal = (
        sum(age * size for age, size in ages) / sum(size for _, size in ages)
        for ages in found.ages_s[:2]
    )
    assert urgent < normal


def test_a_node_that_can_not_keep_up_says_so() -> None:
    rooms = [Stream(1, 1, 10.0)] * 5000
    assert edge.run(rooms, 360, 0.5, Random(1)).behind
    assert not edge.run(rooms[:100], 360, 0.5, Random(1)).behind


@settings(max_examples=25)
@given(
    st.integers(1, 1000),
    st.lists(st.floats(0, 10_000), min_size=3, max_size=3),
    st.floats(0, 0.85),
)
def test_batches_grow_until_the_core_has_time_for_them(
    links: int, envelopes: list[float], other: float
) -> None:
    found = pace(links, envelopes, other)
    assert found.share + other <= FULL + 0.01 or found.wait_s > 0.99
    assert all(batches <= rate for batches, rate in zip(found.batches, envelopes, strict=True))


def test_a_lane_sends_no_more_batches_than_its_linger_lets_it() -> None:
    assert batches_per_s(10.0, 0.0) == 10.0
    assert batches_per_s(1e9, 0.004) < 250.0


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(0, 1_000_000))
def test_adding_a_relay_moves_its_share_and_nothing_else(relays: int, seed: int) -> None:
    names = [f"relay-{number}" for number in range(relays)]
    keys = [(f"room-{seed}-{number}", 1.0) for number in range(1000)]
    more = [*names, "relay-new"]
    share = moved(keys, lambda key: carrier(key, names), lambda key: carrier(key, more))
    assert abs(share - 1 / (relays + 1)) < 0.08
    went = {carrier(key, more) for key, _ in keys if carrier(key, names) != carrier(key, more)}
    assert went == {"relay-new"}


def test_losing_a_relay_moves_nothing_that_others_carry() -> None:
    loss = simulate(Deployment(clients=20_000, access=8, routers=3, relays=4, rooms=200))["loss"]
    assert loss["relay"]["others_moved"] == 0.0
    assert abs(loss["relay"]["rooms_moved"] - 0.25) < 0.1
    assert loss["access"]["clients_reconnect"] == 2500


def test_many_receivers_on_few_nodes_are_told_by_broadcast() -> None:
    few = messages(Deployment(clients=1000, access=4, routers=2))
    many = messages(Deployment(clients=1000, access=2000, routers=2))
    assert few.modes == {"1": "precise", "30": "broadcast", "500": "broadcast"}
    assert set(many.modes.values()) == {"precise"}


def test_the_same_seed_gives_the_same_figures() -> None:
    deployment = Deployment(clients=8000, access=8, routers=2, regions=2, threshold=500)
    first, second = simulate(deployment), simulate(deployment)
    del first["seconds"], second["seconds"]
    assert first == second
    assert first["heat"]["hot"] > 0
