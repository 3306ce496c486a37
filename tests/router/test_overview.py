from backends.leases.interface import Lost, RegionNodes
from proto.heat import HeatState, Rule
from router.gateway.operations.overview import Pool, RelayLinks, overview
from tests.router.parts import lease


def test_links_are_counted_once_from_the_side_that_dials() -> None:
    leases = [
        lease("access-1", links=["relay-1", "relay-2"]),
        lease("access-2", links=["relay-1"]),
        lease("relay-1", "relay", links=3),
        lease("relay-2", "relay", links=2),
        lease("router-1", "router"),
    ]
    seen = overview(leases, ())
    assert (seen.links.held, seen.links.lanes, seen.links.full_mesh) == (5, 15, 2)
    assert [node.links for node in seen.nodes] == [2, 1, 3, 2, 2]


def test_what_waits_was_dropped_and_skipped_is_shown_where_a_node_says_so() -> None:
    router = lease("router-1", "router", lag={"bulk": 7})
    access = lease("access-1", drops={"pending_full bulk": 3}, skipped={"bulk": 2})
    seen = overview([router, access], ()).nodes
    assert [node.lag for node in seen] == [{"bulk": 7}, {}]
    assert [(node.drops, node.skipped) for node in seen][1] == (
        {"pending_full bulk": 3},
        {"bulk": 2},
    )


def test_a_status_of_another_shape_is_shown_as_nothing() -> None:
    (node,) = overview([lease("access-1", lane_depths=7, connections="many", rooms=None)], ()).nodes
    assert (node.lane_depths, node.connections, node.rooms) == ({}, 0, 0)


def test_pools_are_counted_and_hot_rooms_listed() -> None:
    leases = [
        lease("access-1", connections=5),
        lease("access-2", pool="hot-b", connections=7),
        lease("access-3", pool="hot-b", ready=False, connections=2),
        lease("access-4", pool="hot-a", draining=True),
        lease("router-1", "router", pool="hot-c"),
    ]
    rules = [
        Rule("show", HeatState.HOT, 3, "hot-b"),
        Rule("calm", HeatState.NORMAL, 9),
        Rule("gala", HeatState.PREPARING, 1, "hot-a"),
    ]
    seen = overview(leases, rules)
    assert seen.pools == [Pool("hot-a", 1, 0, 0), Pool("hot-b", 2, 1, 9)]
    assert [(each.room, each.state) for each in seen.hot_rooms] == [
        ("gala", HeatState.PREPARING),
        ("show", HeatState.HOT),
    ]


def test_links_between_regions_are_counted_up_and_wanted() -> None:
    relays = [lease(f"relay-{n}", "relay", regions={"eu": {"up": n, "relays": 2}}) for n in (1, 2)]
    assert overview([*relays, lease("access-1", regions=7)], []).links.relay_links == RelayLinks(
        3, 4
    )


def test_who_went_away_without_a_word_is_shown_as_not_up() -> None:
    seen = overview([lease("access-1")], (), [Lost(lease("relay-1", "relay", links=3), 12.34)])
    assert [(node.id, node.up, node.silent_s) for node in seen.nodes] == [("access-1", True, 0)]
    assert [(node.id, node.up, node.silent_s) for node in seen.lost] == [("relay-1", False, 12.3)]


def test_another_region_is_shown_with_its_nodes_or_as_one_that_does_not_answer() -> None:
    there = RegionNodes([lease("relay-9", "relay"), lease("access-9")], [])
    seen = overview([], (), elsewhere={"us": there, "asia": None}).regions
    assert [(each.region, each.answers) for each in seen] == [("asia", False), ("us", True)]
    assert [(node.id, node.links) for node in seen[1].nodes] == [("access-9", 1), ("relay-9", 1)]


def test_the_hottest_rooms_of_all_routers_come_first() -> None:
    cool, hot = {"room": "cool", "pressure": 0.1}, {"room": "hot", "pressure": 2.0}
    routers = [
        lease("router-1", "router", heat=[cool]),
        lease("router-2", "router", heat=[hot, 7]),
        lease("router-3", "router", heat="none"),
    ]
    assert overview(routers, ()).rooms == [hot, cool]
