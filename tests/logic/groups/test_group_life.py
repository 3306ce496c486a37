"""A group through any sequence of requests, beside a model of a few lines."""

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any

import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backends.database.database import Database
from backends.database.schema import metadata
from backends.database.settings import DatabaseSettings
from proto.errors import RequestError
from tests.conftest import run_inline
from tests.logic.people import People

UIDS = [f"u{i}" for i in range(7)]
MOST = 5
RANK = {"owner": 2, "admin": 1, "member": 0}
uids = st.sampled_from(UIDS)
_mids = itertools.count()
some_uids = st.lists(uids, min_size=1, max_size=4)


@functools.cache
def everybody() -> People:
    """Users who are all friends, except the last two, over one database for all examples."""
    folder = tempfile.TemporaryDirectory(prefix="rm-groups-")
    url = f"sqlite:///{Path(folder.name)}/im.db"
    database = Database(DatabaseSettings(url=url, synchronous="NORMAL"), run_inline)
    people = People(database, max_members=MOST)
    people.folder = folder  # type: ignore[attr-defined] # goes when the run ends

    async def meet() -> None:
        await database.write(functools.partial(metadata.create_all))
        for i, uid in enumerate(UIDS):
            friends = [other for other in UIDS[i + 1 :] if (uid, other) != ("u5", "u6")]
            if friends:
                await people.befriend(uid, *friends)

    trio.run(meet)
    return people


def are_friends(uid: str, other: str) -> bool:
    return {uid, other} != {"u5", "u6"}


class GroupLife(RuleBasedStateMachine):
    """`roles` are the present members; `owed` left and are still owed messages; `seq` is the end of
    the conversation."""

    def __init__(self) -> None:
        super().__init__()
        self.people = everybody()
        self.roles: dict[str, str] = {}
        self.owed: set[str] = set()
        self.was_in: set[str] = set()
        self.ended_by = ""
        self.seq = 0

    @initialize(owner=uids, others=st.lists(uids, max_size=3, unique=True))
    def create(self, owner: str, others: list[str]) -> None:
        others = [uid for uid in others if are_friends(owner, uid)]
        made = self.ask(owner, "group_create", mid=f"m{next(_mids)}", name="Tea", members=others)
        self.conv = made["conv"]
        self.roles = dict.fromkeys(others, "member") | {owner: "owner"}
        self.was_in = set(self.roles)
        self.seq = 1

    @rule(who=uids, named=some_uids)
    def invite(self, who: str, named: list[str]) -> None:
        new = {uid for uid in named if uid not in self.roles}
        expected = self.standing(who)
        if not expected and not all(are_friends(who, uid) for uid in new):
            expected = "not_friends"
        if not expected and len(self.roles) + len(new) > MOST and new:
            expected = "full"
        if not expected and new & self.owed:
            expected = "overloaded"
        if self.agrees(expected, new, who, "group_invite", uids=named):
            self.roles |= dict.fromkeys(new, "member")
            self.was_in |= new

    @rule(who=uids)
    def leave(self, who: str) -> None:
        if who in self.was_in - set(self.roles):
            self.agrees("", False, who, "group_leave")
            return
        expected = self.standing(who) or ("forbidden" if self.roles[who] == "owner" else "")
        if self.agrees(expected, True, who, "group_leave"):
            self.out(who)

    @rule(who=uids, named=some_uids)
    def kick(self, who: str, named: list[str]) -> None:
        present = {uid for uid in named if uid in self.roles}
        expected = self.standing(who, 1)
        if not expected and any(not self.above(who, uid) for uid in present):
            expected = "forbidden"
        if self.agrees(expected, present, who, "group_kick", uids=named):
            for uid in present:
                self.out(uid)

    @rule(who=uids, uid=uids, role=st.sampled_from(["admin", "member"]))
    def role(self, who: str, uid: str, role: str) -> None:
        expected = self.on(who, 2, uid)
        changes = self.roles.get(uid) != role
        if self.agrees(expected, changes, who, "group_role", uid=uid, role=role):
            self.roles[uid] = role

    @rule(who=uids, uid=uids, for_s=st.integers(1, 100))
    def mute(self, who: str, uid: str, for_s: int) -> None:
        self.people.now_ms += 1
        self.agrees(self.on(who, 1, uid), True, who, "group_mute", uid=uid, for_s=for_s)

    @rule(who=uids, uid=uids)
    def transfer(self, who: str, uid: str) -> None:
        done = self.roles.get(who) == "admin" and self.roles.get(uid) == "owner"
        expected = "" if done else self.standing(who, 2)
        expected = expected or ("" if uid in self.roles else "not_member")
        if self.agrees(expected, not done and who != uid, who, "group_transfer", uid=uid):
            self.roles[who], self.roles[uid] = "admin", "owner"

    @rule(who=uids)
    def dissolve(self, who: str) -> None:
        done = self.ended_by == who
        expected = "" if done else self.standing(who, 2)
        if self.agrees(expected, not done, who, "group_dissolve"):
            self.ended_by = who

    @rule()
    def diffuse(self) -> None:
        trio.run(self.people.diffuse, self.conv, self.seq)
        self.owed.clear()

    @invariant()
    def holds(self) -> None:
        if not self.roles:
            return
        trio.run(self.check)

    async def check(self) -> None:
        group, people = await self.people.group(self.conv), self.people
        assert await people.present(self.conv) == self.roles
        assert group.member_count == len(self.roles)
        assert [uid for uid, role in self.roles.items() if role == "owner"] == [group.owner]
        assert (await people.member(group.owner, self.conv)).muted_until == 0
        assert group.dissolved == bool(self.ended_by)
        for uid in self.was_in:
            session = await people.session(uid, self.conv)
            assert session.left == (uid not in self.roles)
            member = await people.member(uid, self.conv)
            assert session.joined_seq <= self.seq
            assert member is None or member.joined_seq == session.joined_seq

    def standing(self, who: str, rank: int = 0) -> str:
        """Return the error for who is not in the group, or below `rank` there."""
        if self.ended_by or who not in self.roles:
            return "not_member"
        return "" if RANK[self.roles[who]] >= rank else "forbidden"

    def on(self, who: str, rank: int, uid: str) -> str:
        expected = self.standing(who, rank) or ("" if uid in self.roles else "not_member")
        return expected or ("" if self.above(who, uid) else "forbidden")

    def above(self, who: str, uid: str) -> bool:
        return RANK[self.roles[who]] > RANK[self.roles[uid]]

    def out(self, uid: str) -> None:
        del self.roles[uid]
        self.owed.add(uid)

    def agrees(self, expected: str, changes: Any, who: str, op: str, **fields: Any) -> bool:
        """Ask, compare with what is expected, and say whether something has changed."""
        try:
            done = self.ask(who, op, conv=self.conv, **fields)
        except RequestError as error:
            assert error.body.code.value == expected, error
            return False
        assert not expected, f"{op} of {who} should be {expected}"
        assert done["seq"] == (self.seq + 1 if changes else 0)
        self.seq += bool(changes)
        return bool(changes)

    def ask(self, who: str, op: str, **fields: Any) -> Any:
        return trio.run(functools.partial(self.people.ask, who, op, **fields))


TestGroupLife = GroupLife.TestCase
TestGroupLife.settings = settings(max_examples=12, stateful_step_count=25)
