"""Which rules count, and whom they lead where."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from access.moves.directions import Directions, Reason
from access.moves.rules import FRESH_S, Rules
from proto.heat import HeatState, Rule

NORMAL, PREPARING, MOVING, HOT, COOLING = HeatState


def rule(room: str, state: HeatState, fence: int, pool: str = "p1", spread_ms: int = 4000) -> Rule:
    return Rule(room, state, fence, pool, spread_ms=spread_ms)


@dataclass
class Somebody:
    rooms: set[str] = field(default_factory=set)
    pinned: str = ""


def directions(pool: str, *known: Rule, abroad: str = "") -> Directions:
    rules = Rules()
    for each in known:
        assert rules.learn(each, 0.0)
    return Directions(rules, pool, lambda room: room != abroad)


@given(st.lists(st.integers(1, 9), min_size=1))
def test_whatever_order_rules_come_in_the_newest_holds(fences: list[int]) -> None:
    rules, newest = Rules(), 0
    for fence in fences:
        assert rules.learn(rule("r", HOT, fence), 0.0) == (fence > newest)
        newest = max(newest, fence)
        known = rules.get("r")
        assert known is not None
        assert known.fence == newest
    older = sum(fence < max(fences[: n + 1]) for n, fence in enumerate(fences))
    assert rules.refused == older


def test_a_rule_that_is_not_repeated_holds_no_more() -> None:
    rules = Rules()
    rules.learn(rule("r", MOVING, 2), 0.0)
    assert rules.fresh("r", FRESH_S) is not None
    assert rules.fresh("r", FRESH_S + 0.1) is None
    rules.learn(rule("r", HOT, 1), FRESH_S)  # an older one says nothing about the newer
    assert rules.fresh("r", FRESH_S + 0.1) is None
    rules.learn(rule("r", MOVING, 2), FRESH_S)
    assert rules.fresh("r", FRESH_S + 0.1) is not None


def test_a_crowd_is_spread_while_the_rule_is_young() -> None:
    rules = Rules()
    rules.learn(rule("r", MOVING, 1), 10.0)
    assert rules.spread_left_s("r", 11.0) == 3.0
    rules.learn(rule("r", HOT, 2), 12.0)
    assert rules.spread_left_s("r", 12.0) == 0.0
    rules.learn(rule("r", COOLING, 3), 20.0)
    assert rules.spread_left_s("r", 21.0) == 3.0


def test_a_rule_that_has_run_out_moves_nobody() -> None:
    found = directions("", rule("r", HOT, 1))
    assert found.of(Somebody({"r"}), FRESH_S) == Reason("r", "p1")
    assert found.of(Somebody({"r"}), FRESH_S + 1) is None


def test_members_of_an_ordinary_node_go_where_the_rule_says() -> None:
    for state, goes in ((NORMAL, 0), (PREPARING, 0), (MOVING, 1), (HOT, 1), (COOLING, 0)):
        found = directions("", rule("r", state, 1))
        assert found.of(Somebody({"r"}), 0.0) == (Reason("r", "p1") if goes else None)
        assert found.of(Somebody({"other"}), 0.0) is None


def test_members_of_a_dedicated_node_go_back_when_the_room_cools() -> None:
    for state, back in ((NORMAL, 1), (PREPARING, 0), (MOVING, 0), (HOT, 0), (COOLING, 1)):
        found = directions("p1", rule("r", state, 1))
        assert found.of(Somebody({"r"}, "r"), 0.0) == (Reason("r", "") if back else None)


def test_a_room_that_gets_another_pool_takes_its_members_along() -> None:
    found = directions("p1", rule("r", HOT, 3, "p2"))
    assert found.of(Somebody({"r"}, "r"), 0.0) == Reason("r", "p2")


def test_who_came_for_one_room_is_moved_by_that_one_alone_while_in_it() -> None:
    found = directions("p1", rule("r", HOT, 1, "p1"), rule("s", HOT, 1, "p2"))
    assert found.of(Somebody({"r", "s"}, "r"), 0.0) is None
    assert found.of(Somebody({"s"}, "r"), 0.0) == Reason("s", "p2")


def test_who_came_without_a_move_stays_while_one_of_its_rooms_belongs_here() -> None:
    found = directions("p1", rule("r", HOT, 1, "p1"), rule("s", HOT, 1, "p2"))
    assert found.of(Somebody({"r", "s"}), 0.0) is None
    assert found.of(Somebody({"s"}), 0.0) == Reason("s", "p2")


def test_of_two_hot_rooms_the_same_wins_on_every_node() -> None:
    hot = [rule("b", HOT, 1, "p1"), rule("a", HOT, 1, "p2")]
    for known in (hot, hot[::-1]):
        assert directions("", *known).of(Somebody({"a", "b"}), 0.0) == Reason("a", "p2")


def test_a_room_at_home_in_another_region_moves_nobody() -> None:
    found = directions("", rule("r", HOT, 1), abroad="r")
    assert found.of(Somebody({"r"}), 0.0) is None
