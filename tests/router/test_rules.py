import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from backends.errors import StoreUnavailableError
from backends.heat.interface import Rules
from proto.errors import RequestError
from proto.heat import HeatState, Rule
from router.gateway.rules import ACKNOWLEDGE_S, POLL_S, RuleReader, View
from router.heat.machine import RULE_LEASE_S
from tests.router.parts import FixedHeat

SENT = {HeatState.MOVING, HeatState.HOT}


def view_of(*rules: Rule, asked_at_s: float = 0.0) -> View:
    view = View()
    view.take(Rules(7, {rule.room: rule for rule in rules}), asked_at_s)
    return view


@pytest.mark.parametrize("state", list(HeatState))
def test_newcomers_go_to_the_pool_while_viewers_move_there_or_are(state: HeatState) -> None:
    view = view_of(Rule("show", state, 3, "hot-b"))
    assert view.pool_for("show", 1.0) == ("hot-b" if state in SENT else "")
    assert view.pool_for("other", 1.0) == ""


@given(st.floats(-1e6, 1e6), st.floats(0, 10))
def test_a_view_is_gone_by_for_its_lease_alone(asked_at_s: float, age_s: float) -> None:
    view = view_of(Rule("show", HeatState.HOT, 3, "hot-b"), asked_at_s=asked_at_s)
    now_s = asked_at_s + age_s
    if now_s < asked_at_s + RULE_LEASE_S:
        assert view.pool_for("show", now_s) == "hot-b"
    else:
        with pytest.raises(RequestError, match="unavailable"):
            view.pool_for("show", now_s)


def test_before_the_first_read_nothing_is_known() -> None:
    with pytest.raises(RequestError, match="unavailable"):
        (view := View()).pool_for("show", 0.0)
    assert view.lapses == 1


async def test_rules_are_read_four_times_a_second_and_acknowledged(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    heat, view = FixedHeat(version=3), View()
    nursery.start_soon(RuleReader(heat, "router-1", view).run)  # type: ignore[arg-type]
    await trio.sleep(0.1)
    assert heat.acknowledgements == [("router-1", 3)]
    heat.current = Rules(4, {"show": Rule("show", HeatState.MOVING, 2, "hot-b")})
    await trio.sleep(POLL_S)
    assert heat.acknowledgements == [("router-1", 3), ("router-1", 4)]
    assert view.pool_for("show", trio.current_time()) == "hot-b"


async def test_a_store_that_lost_its_data_is_told_again(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    heat = FixedHeat(version=3)
    nursery.start_soon(RuleReader(heat, "router-1", View()).run)  # type: ignore[arg-type]
    await trio.sleep(0.1)
    heat.acknowledgements.clear()
    await trio.sleep(ACKNOWLEDGE_S + POLL_S)
    assert heat.acknowledgements == [("router-1", 3)]


async def test_with_the_store_away_the_lease_runs_out_and_comes_back(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    heat, view = FixedHeat(), View()
    nursery.start_soon(RuleReader(heat, "router-1", view).run)  # type: ignore[arg-type]
    await trio.sleep(0.1)
    heat.failure = StoreUnavailableError("away")
    await trio.sleep(RULE_LEASE_S - POLL_S - 0.2)
    assert view.holds(trio.current_time())
    await trio.sleep(POLL_S + 0.2)
    assert not view.holds(trio.current_time())
    heat.failure = None
    await trio.sleep(POLL_S)
    assert view.holds(trio.current_time())


async def test_an_answer_that_was_long_on_its_way_is_old(autojump_clock: object) -> None:
    heat, view = FixedHeat(), View()
    heat.takes_s = RULE_LEASE_S
    await RuleReader(heat, "router-1", view).refresh()  # type: ignore[arg-type]
    assert not view.holds(trio.current_time())
