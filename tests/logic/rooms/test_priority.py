import pytest
from hypothesis import given
from hypothesis import strategies as st

from logic.rooms.priority import priority_of
from proto.client_requests import Chat, Gift, Speech
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority

CHAT = Chat(id=1, room="a", text="hi")
SPEECH = Speech(id=1, room="a", text="hi")
ROLES = ["viewer", "host", "server", ""]


def gift(value, count=1):
    return Gift(id=1, room="a", gift="rose", value=value, count=count)


@pytest.mark.parametrize("role", ROLES)
def test_chat_is_normal_whoever_says_it(role):
    assert priority_of(CHAT, role, 1000) is Priority.NORMAL


@pytest.mark.parametrize("role", ["host", "server"])
def test_speech_is_urgent(role):
    assert priority_of(SPEECH, role, 1000) is Priority.URGENT


@pytest.mark.parametrize("role", ["viewer", "", "Host", "hosts"])
def test_nobody_else_may_speak(role):
    with pytest.raises(RequestError) as caught:
        priority_of(SPEECH, role, 1000)
    assert (caught.value.body.code, caught.value.body.field) == (ErrorCode.FORBIDDEN, "op")


@given(st.integers(0, 10**6), st.integers(1, 1000), st.integers(1, 10**9), st.sampled_from(ROLES))
def test_a_gifts_whole_worth_decides(value, count, threshold, role):
    expected = Priority.URGENT if value * count >= threshold else Priority.NORMAL
    assert priority_of(gift(value, count), role, threshold) is expected
