from collections import Counter

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
