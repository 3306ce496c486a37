"""What a node makes of a room's moderation where the urgent stream has lost part of it."""

import pytest
import trio

from access.moderation.following import Following
from access.moderation.standing import RoomStanding
from access.stream import Ready, Reset
from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader
from proto.moderation import Action, Bound, ModerationPush, Standing
from proto.priorities import Priority
from proto.server_frames import encode_json, numbered, room_push

ROOM = "lobby"
LOST = [Reset("e1", 1, 5)]


def told(action, uid="ann"):
    push = ModerationPush(Action(action), uid, "mo", "Mo", "moderator", 0, 0, "", "", "m", 1, "t")
    made = room_push("moderation", ROOM, Priority.URGENT, encode_json(push))
    return [Ready("e1", 6, numbered(made, "e1", 6), None)]


class Logic:
    """Answers what the state was when it was asked."""

    def __init__(self):
        self.standing = None
        self.asked = 0
        self.answer = trio.Event()

    async def heads(self, _room):
        self.asked += 1
        standing = self.standing
        await self.answer.wait()
        return HeadsHeader("e1", (6, 0, 0), standing=standing)


class Tasks:
    def __init__(self, nursery):
        self.start = nursery.start_soon


async def test_what_came_before_another_loss_is_not_applied_after_it(nursery, autojump_clock):
    logic, standing = Logic(), RoomStanding(lambda: 0)
    following = Following(ROOM, standing, logic, Tasks(nursery), lambda _: None, lambda: None)
    following.observe(LOST)
    await trio.testing.wait_all_tasks_blocked()
    following.observe(told("ban"))
    following.observe(LOST)  # with it went an unban of ann, and the ban of bob
    following.observe(told("mute", "eve"))
    logic.standing = Standing({"bob": Bound(0, 1)}, {}, {})
    logic.answer.set()
    await trio.testing.wait_all_tasks_blocked()
    assert logic.asked == 2
    assert [standing.ban_of(uid, "viewer") for uid in ("ann", "bob")] == [None, Bound(0, 1)]
    with pytest.raises(RequestError) as caught:
        standing.hear("eve", "viewer")
    assert caught.value.body.code is ErrorCode.MUTED
