"""Contacts, as an application asks for them."""

from relaymesh_client.events import Frame
from relaymesh_client.im.asking import Asking


class Contacts(Asking):
    """Friends, requests and blocks; each change returns how the two stand: `state`, `blocked`."""

    async def friend_request(self, uid: str, text: str = "") -> Frame:
        """Ask `uid` to become a friend; who has asked already is one at once."""
        return await self._ask("friend_request", {"uid": uid, "text": text})

    async def friend_accept(self, uid: str) -> Frame:
        """Become the friend of `uid`, who has asked."""
        return await self._ask("friend_accept", {"uid": uid})

    async def friend_decline(self, uid: str) -> Frame:
        """Let the request of `uid` go; `uid` is not told."""
        return await self._ask("friend_decline", {"uid": uid})

    async def friend_remove(self, uid: str) -> Frame:
        """End the friendship with `uid`, or take a request back."""
        return await self._ask("friend_remove", {"uid": uid})

    async def block(self, uid: str) -> Frame:
        """Hear nothing of `uid` any more; `uid` is not told."""
        return await self._ask("block", {"uid": uid})

    async def unblock(self, uid: str) -> Frame:
        """Take a block back."""
        return await self._ask("unblock", {"uid": uid})

    async def contacts(self, *, limit: int = 100, cursor: str = "") -> Frame:
        """Return a page of `contacts` by uid, and the `cursor` of the next one ("": the end)."""
        return await self._ask("contacts", {"limit": limit, "cursor": cursor})
