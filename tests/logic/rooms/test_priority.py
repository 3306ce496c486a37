import pytest
from hypothesis import given
from hypothesis import strategies as st

from logic.rooms.priority import priority_of
from proto.client_requests import Chat, Gift, Speech
from proto.priorities import Priority


@pytest.mark.parametrize(("said", "priority"), [(Chat, Priority.NORMAL), (Speech, Priority.URGENT)])
def test_what_is_said_has_the_priority_of_its_kind(said, priority):
    assert priority_of(said(id=1, room="a", text="hi"), 1000) is priority


@given(st.integers(0, 10**6), st.integers(1, 1000), st.integers(1, 10**9))
def test_a_gifts_whole_worth_decides(value, count, threshold):
    expected = Priority.URGENT if value * count >= threshold else Priority.NORMAL
    gift = Gift(id=1, room="a", gift="rose", value=value, count=count)
    assert priority_of(gift, threshold) is expected
