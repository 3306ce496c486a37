"""Groups, as an application asks for them."""

from collections.abc import Sequence
from typing import Literal

from relaymesh_client.events import Frame
from relaymesh_client.im.asking import Asking


class Groups(Asking):
    """Groups; each change returns `conv` and `seq`, the message that tells the group (0: none)."""

    async def group_create(self, name: str, members: Sequence[str] = (), *, mid: str = "") -> Frame:
        """Make a group of oneself and `members`, who are friends; one group a `mid`."""
        fields = {"mid": mid or self._new_mid(), "name": name, "members": list(members)}
        return await self._ask("group_create", fields)

    async def group_update(self, conv: str, name: str) -> Frame:
        """Give a group another name."""
        return await self._ask("group_update", {"conv": conv, "name": name})

    async def group_invite(self, conv: str, uids: Sequence[str]) -> Frame:
        """Bring friends in; `uids` of the answer are those who came in."""
        return await self._ask("group_invite", {"conv": conv, "uids": list(uids)})

    async def group_leave(self, conv: str) -> Frame:
        """Leave a group."""
        return await self._ask("group_leave", {"conv": conv})

    async def group_kick(self, conv: str, uids: Sequence[str]) -> Frame:
        """Send members out."""
        return await self._ask("group_kick", {"conv": conv, "uids": list(uids)})

    async def group_role(self, conv: str, uid: str, role: Literal["admin", "member"]) -> Frame:
        """Make a member an admin, or a plain member again."""
        return await self._ask("group_role", {"conv": conv, "uid": uid, "role": role})

    async def group_mute(self, conv: str, for_s: int, uid: str | None = None) -> Frame:
        """Silence a member, or all plain ones, for `for_s` seconds; 0 ends it."""
        whom = {"uid": uid} if uid is not None else {}
        return await self._ask("group_mute", {"conv": conv, "for_s": for_s, **whom})

    async def group_transfer(self, conv: str, uid: str) -> Frame:
        """Make a member the owner."""
        return await self._ask("group_transfer", {"conv": conv, "uid": uid})

    async def group_dissolve(self, conv: str) -> Frame:
        """End a group."""
        return await self._ask("group_dissolve", {"conv": conv})

    async def group_info(self, conv: str) -> Frame:
        """Return what a group is, and what this user is in it."""
        return await self._ask("group_info", {"conv": conv})

    async def group_members(self, conv: str, *, limit: int = 100, cursor: str = "") -> Frame:
        """Return a page of `members` by uid, and the `cursor` of the next one ("": the end)."""
        return await self._ask("group_members", {"conv": conv, "limit": limit, "cursor": cursor})

    async def group_tag(self, conv: str, *, hot: bool) -> Frame:
        """Keep a group hot, or no longer; only role `server` may."""
        return await self._ask("group_tag", {"conv": conv, "hot": hot})
