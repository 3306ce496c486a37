"""The table of docs/moderation.md, cell by cell, and that nobody moderates an equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logic.moderation.permissions import LOWEST, require
from proto.errors import ErrorCode, RequestError
from proto.moderation import Action
from proto.roles import RANKS, rank

ROLES = list(RANKS)
MAY = {
    "viewer": {"chat", "gift", "like"},
    "moderator": {"mute", "unmute", "ban", "unban", "kick", "slow", "unslow"},
    "host": {"speech", "grant", "revoke_role"},
    "server": set(),
}
"""What each role may beyond those before it."""


def allowed(role, action, **whom):
    try:
        require(role, action, **whom)
    except RequestError as error:
        assert error.body.code is ErrorCode.FORBIDDEN
        return error.body.field
    return True


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", sorted(LOWEST))
def test_a_role_may_what_it_and_those_below_may(role, action):
    may = set().union(*(MAY[each] for each in ROLES[: rank(role) + 1]))
    field = "action" if action in set(Action) else "op"
    assert allowed(role, action) == (True if action in may else field)


@given(st.sampled_from(ROLES[1:]), st.sampled_from(ROLES), st.sampled_from(["ban", "unmute"]))
def test_it_is_done_to_those_below_alone(role, of, action):
    assert allowed(role, action, of=of) == (True if rank(of) < rank(role) else "uid")


@given(st.sampled_from(ROLES[2:]), st.sampled_from(["moderator", "host"]))
def test_a_role_is_given_from_above(role, granted):
    expected = True if rank(granted) < rank(role) else "role"
    assert allowed(role, "grant", of="viewer", granted=granted) == expected


@pytest.mark.parametrize("role", ["", "admin", "Host"])
def test_what_is_no_role_is_a_viewers(role):
    assert allowed(role, "chat") is True
    assert allowed(role, "speech") == "op"
    assert allowed(role, "kick") == "action"
