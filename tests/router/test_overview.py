from router.gateway.overview import overview
from tests.router.parts import lease


def test_links_are_counted_once_from_the_side_that_dials() -> None:
    leases = [
        lease("access-1", links=["relay-1", "relay-2"]),
        lease("access-2", links=["relay-1"]),
        lease("relay-1", "relay", links=3),
        lease("relay-2", "relay", links=2),
        lease("router-1", "router"),
    ]
    seen = overview(leases)
    assert (seen.links.held, seen.links.lanes, seen.links.full_mesh) == (5, 15, 2)
    assert [node.links for node in seen.nodes] == [2, 1, 3, 2, 2]


def test_a_status_of_another_shape_is_shown_as_nothing() -> None:
    (node,) = overview([lease("access-1", lane_depths=7, connections="many", rooms=None)]).nodes
    assert (node.lane_depths, node.connections, node.rooms) == ({}, 0, 0)
