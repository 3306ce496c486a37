"""Homes of rooms and users."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.regions import ONE_REGION, Regions, region_of, service_in

ALL = ("eu", "us", "ap")
rooms = st.text("abcdefgh123", min_size=1, max_size=8)


@given(rooms, st.permutations(ALL))
def test_a_room_has_one_home_whatever_the_order(room: str, names: list[str]) -> None:
    home = Regions(names=tuple(names), im="eu").home_of_room(room)
    assert home in ALL
    assert home == Regions(names=ALL, im="us").home_of_room(room)


@given(rooms)
def test_a_region_that_is_added_takes_rooms_and_moves_none_between_others(room: str) -> None:
    before = Regions(names=ALL, im="eu").home_of_room(room)
    after = Regions(names=(*ALL, "sa"), im="eu").home_of_room(room)
    assert after in (before, "sa")


def test_pins_come_before_the_hash_and_one_region_has_no_homes() -> None:
    pinned = Regions(names=ALL, im="us", rooms={"lobby": "ap"})
    assert pinned.home_of_room("lobby") == "ap"
    assert pinned.home_of_users == "us"
    assert pinned.others("us") == ("eu", "ap")
    assert ONE_REGION.home_of_room("lobby") == ONE_REGION.home_of_users == ""


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"names": ["eu", "us", "eu"], "im": "eu"}, "names: region 'eu' is there twice"),
        ({"names": ["eu", "us"]}, "im: expected one of eu, us, got ''"),
        ({"names": ["eu"], "im": "us"}, "im: expected one of eu, got 'us'"),
        ({"names": ["eu"], "im": "eu", "rooms": {"a": "us"}}, "rooms.a: region 'us' is none"),
        ({"names": ["EU"], "im": "EU"}, "regex"),
        ({"name": ["eu"]}, "unknown field `name`"),
    ],
)
def test_a_table_that_can_not_be_is_refused_with_the_field(
    table: dict[str, object], reason: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        msgspec.convert(table, Regions)


def test_the_key_of_a_request_names_service_and_region() -> None:
    assert region_of(service_in(b"logic", "us")) == (b"logic", "us")
    assert region_of(service_in(b"im", "")) == (b"im", "")
