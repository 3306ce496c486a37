"""What two users become to each other by what one of them does. Pure.

Each function takes how they stood (`mine`: the one who acts) and returns how they stand; where
nothing is to be done, that is the same. A block changes no state: it comes off without a trace.
"""

from collections.abc import Mapping

from backends.database.contacts import Pair
from proto.errors import ErrorCode, RequestError

Counted = Mapping[tuple[str, str], int]
"""How many contacts a user has in a state, by (uid, state)."""


class State:
    """How one user stands to another (`contacts.state`)."""

    NONE = "none"
    ASKED = "asked"
    """I have asked the other."""
    ASKING = "asking"
    """The other asks me."""
    FRIEND = "friend"


def request(pair: Pair) -> Pair:
    """Ask; where the other has asked, accept. Who was declined may not ask again unless it takes
    the first request back."""
    if pair.mine.blocked:
        raise RequestError(ErrorCode.NOT_FRIENDS, "uid: blocked by yourself; `unblock` comes first")
    if pair.mine.state in (State.FRIEND, State.ASKED):
        return pair
    if pair.theirs.state == State.ASKED:
        return _states(pair, State.FRIEND, State.FRIEND)
    return _states(pair, State.ASKED, State.ASKING)


def accept(pair: Pair) -> Pair:
    """Become friends; raises `RequestError` where nobody has asked."""
    if pair.mine.state == State.FRIEND:
        return pair
    if pair.mine.state != State.ASKING:
        raise RequestError(ErrorCode.NOT_FOUND, "uid: has not asked to become a friend")
    return _states(pair, State.FRIEND, State.FRIEND)


def decline(pair: Pair) -> Pair:
    """Let the other's request go: it goes on waiting for the other, who is not told."""
    if pair.mine.state != State.ASKING:
        return pair
    return pair._replace(mine=pair.mine._replace(state=State.NONE))


def remove(pair: Pair) -> Pair:
    """End what is between the two: a friendship, or a request of one's own."""
    if pair.mine.state not in (State.FRIEND, State.ASKED):
        return pair
    return _states(pair, State.NONE, State.NONE)


def block(pair: Pair) -> Pair:
    """Hear nothing of the other any more."""
    return pair._replace(mine=pair.mine._replace(blocked=True))


def unblock(pair: Pair) -> Pair:
    """Take the block back: what was before is there again."""
    return pair._replace(mine=pair.mine._replace(blocked=False))


def check_room(
    uids: tuple[str, str], before: Pair, after: Pair, counted: Counted, most: int
) -> None:
    """Raise `RequestError` `full` where a list of one of the two (`uids`: the one who acts, the
    other) would have more than `most`."""
    for who, old, new in zip(uids, before, after, strict=True):
        grows = new.state != old.state and new.state != State.NONE
        if grows and counted.get((who, new.state), 0) >= most:
            raise RequestError(
                ErrorCode.FULL, f"uid: {who} has {most} contacts in state {new.state!r} already"
            )


def _states(pair: Pair, mine: str, theirs: str) -> Pair:
    return Pair(pair.mine._replace(state=mine), pair.theirs._replace(state=theirs))
