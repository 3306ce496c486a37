from collections import Counter

from backends.leases.interface import NodeLease
from router.gateway.balance import Balance
from tests.router.parts import lease


def _first(balance: Balance, uid: str, nodes: list) -> str:  # type: ignore[type-arg]
    return balance.choose(uid, nodes, 16)[0].node


def test_a_crowd_between_two_reports_fills_the_nodes_level() -> None:
    nodes = [lease("access-1", connections=300), lease("access-2"), lease("access-3")]
    balance = Balance("local")
    named = Counter(_first(balance, f"u{n}", nodes) for n in range(900))
    assert abs(named["access-1"] + 300 - named["access-2"]) <= 1
    assert abs(named["access-2"] - named["access-3"]) <= 1


def test_answers_are_forgotten_when_reports_show_them() -> None:
    nodes = [lease("access-1", connections=5), lease("access-2", connections=0)]
    balance = Balance("local")
    for n in range(10):
        _first(balance, f"u{n}", nodes)
    balance.tick()
    nodes = [lease("access-1", connections=7), lease("access-2", connections=6)]
    balance.tick()
    assert _first(balance, "x", nodes) == "access-2"


def test_ties_fall_differently_for_different_users() -> None:
    nodes = [lease(f"access-{n}") for n in range(4)]
    named = Counter(_first(Balance("local"), f"u{n}", nodes) for n in range(400))
    assert set(named) == {"access-0", "access-1", "access-2", "access-3"}
    assert min(named.values()) > 60


def test_nodes_of_the_own_region_come_first_and_the_list_is_bounded() -> None:
    nodes = [lease("access-1"), lease("access-2", connections=9)]
    balance = Balance("elsewhere")
    assert len(balance.choose("ann", nodes, 1)) == 1
    own = type(nodes[0])("access-3", "access", "elsewhere", "i", "ws://3/v1", {"connections": 99})
    assert _first(balance, "ann", [*nodes, own]) == "access-3"


def test_nodes_that_drain_or_start_are_not_named() -> None:
    nodes = [lease("access-1", draining=True), lease("access-2", ready=False), lease("access-3")]
    assert [each.node for each in Balance("local").choose("ann", nodes, 16)] == ["access-3"]


def _worker(number: int, **status: object) -> NodeLease:
    return NodeLease(f"access-1-w{number}", "access", "local", "i", "ws://1/v1", status)


def test_workers_behind_one_url_are_named_once_and_filled_as_one() -> None:
    workers = [_worker(number, connections=10, max_connections=100) for number in (1, 2, 3)]
    alone = lease("access-2", connections=0, max_connections=100)
    balance = Balance("local")
    assert len(balance.choose("ann", [*workers, alone], 16)) == 2
    balance = Balance("local")
    named = Counter(_first(balance, f"u{n}", [*workers, alone]) for n in range(130))
    # 160 connections on 400 places: two fifths of each limit.
    assert abs(named["access-1-w1"] - 90) <= 1
    assert abs(named["access-2"] - 40) <= 1


def test_a_worker_that_drains_takes_its_part_of_the_room_with_it() -> None:
    workers = [_worker(1, connections=45, max_connections=100), _worker(2, draining=True)]
    alone = lease("access-2", connections=40, max_connections=100)
    assert _first(Balance("local"), "ann", [*workers, alone]) == "access-2"
    assert _first(Balance("local"), "ann", workers) == "access-1-w1"


def test_a_full_url_comes_last() -> None:
    nodes = [_worker(1, connections=5, max_connections=5), lease("access-2", connections=900)]
    assert _first(Balance("local"), "ann", nodes) == "access-2"
