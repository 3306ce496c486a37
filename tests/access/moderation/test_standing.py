"""Who may enter, speak and like, and with which role, as pushes of the room say."""

import pytest

from access.moderation.standing import RoomStanding
from proto.errors import RequestError
from proto.moderation import Action, Bound, ModerationPush, Standing

NOW_MS = 1_000_000


class Clock:
    now_ms = NOW_MS

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def standing(clock):
    return RoomStanding(clock)


def push(action, uid="ann", *, until_ms=0, by_role="moderator", role=""):
    return ModerationPush(
        Action(action), uid, "mo", "Mo", by_role, until_ms, 0, role, "", "m", 1, "t"
    )


def refusal(ask, uid="ann", own="viewer"):
    try:
        ask(uid, own)
    except RequestError as error:
        return error.body.code.value, error.body.field, error.body.retry_after_ms
    return None


def test_a_ban_keeps_out_whoever_stands_below_until_its_time_is_over(standing, clock):
    standing.apply(push("ban", until_ms=NOW_MS + 500))
    assert refusal(standing.admit) == ("banned", "room", 500)
    assert refusal(standing.admit, "bob") is None
    assert refusal(standing.admit, own="moderator") is None
    assert refusal(standing.hear) is None
    clock.now_ms += 500
    assert refusal(standing.admit) is None


def test_a_ban_for_good_ends_with_an_unban(standing, clock):
    standing.apply(push("ban", by_role="host"))
    clock.now_ms += 10**12
    assert refusal(standing.admit, own="moderator") == ("banned", "room", 0)
    standing.apply(push("unban"))
    assert refusal(standing.admit, own="moderator") is None


def test_a_mute_keeps_nobody_out(standing):
    standing.apply(push("mute"))
    assert refusal(standing.admit) is None
    assert refusal(standing.hear) == ("muted", "room", 0)
    standing.apply(push("unmute"))
    assert refusal(standing.hear) is None


def test_the_higher_role_counts(standing, clock):
    assert standing.role("ann", "viewer") == "viewer"
    standing.apply(push("grant", role="moderator", until_ms=NOW_MS + 5))
    assert standing.role("ann", "viewer") == "moderator"
    assert standing.role("ann", "host") == "host"
    clock.now_ms += 5
    assert standing.role("ann", "viewer") == "viewer"
    standing.apply(push("grant", role="host"))
    standing.apply(push("revoke_role"))
    assert standing.role("ann", "viewer") == "viewer"


def test_roles_that_are_over_are_forgotten_with_the_next_one(standing, clock):
    for number in range(100):
        standing.apply(push("grant", f"u{number}", role="moderator", until_ms=clock.now_ms + 1))
        clock.now_ms += 1
    assert len(standing) == 1


def test_a_role_that_was_given_protects_too(standing):
    standing.apply(push("grant", role="moderator"))
    standing.apply(push("ban", by_role="moderator"))
    assert refusal(standing.admit) is None
    standing.apply(push("ban", by_role="host"))
    assert refusal(standing.admit) == ("banned", "room", 0)


def test_what_logic_says_replaces_all(standing):
    standing.apply(push("ban"))
    standing.replace(Standing({"bob": Bound(0, 1)}, {"eve": Bound(NOW_MS + 7, 1)}, {}))
    assert refusal(standing.admit) is None
    assert refusal(standing.admit, "bob") == ("banned", "room", 0)
    assert refusal(standing.hear, "eve") == ("muted", "room", 7)
    standing.replace(None)
    assert refusal(standing.admit, "bob") is None


@pytest.mark.parametrize("action", ["kick", "slow", "unslow"])
def test_other_actions_change_nothing(standing, action):
    standing.apply(push(action))
    assert (refusal(standing.admit), refusal(standing.hear)) == (None, None)
