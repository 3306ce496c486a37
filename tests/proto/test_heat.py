"""Rules of hot rooms, and the keys and topics of the hot way."""

import pytest

from proto.heat import (
    HeatState,
    Rule,
    Ways,
    decode_rule,
    encode_rule,
    hot_key,
    pool_and_room,
)
from proto.ids import is_room
from proto.priorities import Priority
from proto.topics import Topic

ORDINARY, BOTH, HOT = (True, ""), (True, "p"), (False, "p")


@pytest.mark.parametrize(
    ("state", "ways"),
    [
        (HeatState.NORMAL, ORDINARY),
        (HeatState.PREPARING, ORDINARY),
        (HeatState.MOVING, BOTH),
        (HeatState.HOT, HOT),
        (HeatState.COOLING, BOTH),
    ],
)
def test_the_ways_of_a_message_follow_from_the_state(
    state: HeatState, ways: tuple[bool, str]
) -> None:
    assert Rule("lobby", state, 3, "p").ways == Ways(*ways, 3)


def test_a_rule_comes_back_as_it_was() -> None:
    rule = Rule("lobby", HeatState.HOT, 7, "hot-1", (5, 9, 1), 2000)
    assert decode_rule(encode_rule(rule)) == rule


def test_an_interest_in_the_hot_way_is_no_room() -> None:
    key = hot_key("hot-1", "lobby:7")
    assert pool_and_room(key) == ("hot-1", "lobby:7")
    assert not is_room(key)
    assert pool_and_room("lobby") is None


def test_a_pool_has_one_topic_for_each_priority() -> None:
    topics = {Topic.hot(priority, "hot-1") for priority in Priority}
    assert len(topics) == len(Priority)
    assert Topic.hot(Priority.BULK, "hot-1") == Topic.hot(Priority.BULK, "hot-1")
