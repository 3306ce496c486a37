from hypothesis import given
from hypothesis import strategies as st

from router.costs import Costs
from router.plan import Cluster, Load, Mode, broadcast, choose, occupied, precise, ungrouped

COSTS = Costs()
LOADS = st.builds(Load, st.integers(1, 1000), st.integers(1, 66_000), st.integers(0, 64 * 1024))
CLUSTERS = st.builds(Cluster, st.integers(0, 500), st.integers(0, 8))


def _load(uids: int) -> Load:
    return Load(uids, uids * 12, 200)


def test_few_receivers_among_many_nodes_are_looked_up() -> None:
    assert choose(_load(2), Cluster(100, 2), COSTS, settled=True).mode is Mode.PRECISE


def test_many_receivers_among_few_nodes_are_not_looked_up() -> None:
    assert choose(_load(1000), Cluster(4, 2), COSTS, settled=True).mode is Mode.BROADCAST


def test_records_that_come_together_share_the_round_trip() -> None:
    alone = choose(_load(1), Cluster(8, 2), COSTS, settled=True)
    together = choose(_load(1), Cluster(8, 2), COSTS, settled=True, sharing=100)
    assert (alone.mode, together.mode) == (Mode.BROADCAST, Mode.PRECISE)


def test_routes_that_cannot_be_trusted_mean_broadcast_whatever_it_costs() -> None:
    chosen = choose(_load(1), Cluster(500, 8), COSTS, settled=False)
    assert chosen.mode is Mode.BROADCAST
    assert chosen.cost_us > precise(_load(1), Cluster(500, 8), COSTS).cost_us


@given(LOADS, CLUSTERS)
def test_the_cheaper_way_is_chosen(load: Load, cluster: Cluster) -> None:
    chosen = choose(load, cluster, COSTS, settled=True)
    both = (precise(load, cluster, COSTS), broadcast(load, cluster, COSTS))
    assert chosen.cost_us == min(each.cost_us for each in both)


@given(LOADS, CLUSTERS)
def test_no_more_nodes_are_expected_than_there_are(load: Load, cluster: Cluster) -> None:
    estimate = precise(load, cluster, COSTS)
    assert 0 <= estimate.node_copies <= min(cluster.nodes, load.uids) + 1e-6
    assert 0 <= estimate.relay_copies <= cluster.relays


def test_one_ball_takes_one_bin_and_very_many_take_all() -> None:
    assert occupied(1, 7) == 1 or abs(occupied(1, 7) - 1) < 1e-9
    assert abs(occupied(1e6, 7) - 7) < 1e-9
    assert occupied(5, 0) == 0


def test_a_list_beyond_one_header_is_counted_as_several_envelopes() -> None:
    long = broadcast(Load(1000, 66_000, 100), Cluster(10, 2), COSTS)
    assert (long.relay_copies, long.node_copies) == (2, 20)


def test_the_articles_formulas_are_the_ungrouped_baseline() -> None:
    assert ungrouped(50, 8) == (150, 58)
