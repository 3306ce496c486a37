"""People who write to each other, and two of them whom no test may harm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from tests.cluster.conftest import Cluster, Talker
from tests.cluster.independent_client import Connection, Frame, greeted
from tests.cluster.independent_messenger import Device, direct, say


def device(cluster: Cluster, room: str, who: str, name: str = "phone", page: int = 200) -> Device:
    """A device of somebody who is in this test alone."""
    uid = f"{who}-{room}"
    return Device(uid, cluster.token(uid, name=who.title()), name, page)


async def befriend(ann: Connection, bob: Connection, ann_uid: str, bob_uid: str) -> None:
    asked = await ann.request("friend_request", uid=bob_uid, text="it's me")
    assert asked == {"uid": bob_uid, "state": "asked", "blocked": False}
    taken = await bob.request("friend_accept", uid=ann_uid)
    assert taken == {"uid": ann_uid, "state": "friend", "blocked": False}


@asynccontextmanager
async def friends(
    cluster: Cluster, room: str
) -> AsyncIterator[tuple[Device, Device, Connection, Connection]]:
    """Ann on the first node and Bob on the second, who are friends."""
    ann, bob = device(cluster, room, "ann"), device(cluster, room, "bob")
    async with (
        ann.online(cluster.access[0]) as ann_there,
        bob.online(cluster.access[1]) as bob_there,
    ):
        await befriend(ann_there, bob_there, ann.uid, bob.uid)
        yield ann, bob, ann_there, bob_there


async def group_of(owner: Connection, name: str, *uids: str) -> str:
    """Make a group; returns its id."""
    made = await owner.request("group_create", mid=f"make-{name}", name=name, members=[*uids])
    assert made["seq"] == 1
    conv: str = made["conv"]
    return conv


async def tag(cluster: Cluster, conv: str, *, hot: bool) -> int:
    """Make a group hot, or let it be no longer, as a back end does; returns the message's seq."""
    token = cluster.token("backend", role="server")
    async with greeted(cluster.access[0], token) as backend:
        seq: int = (await backend.request("group_tag", conv=conv, hot=hot))["seq"]
        return seq


async def entry(connection: Connection, conv: str) -> Frame:
    """Return a conversation's entry of the session list, paged one by one; empty: none."""
    found: list[Frame] = []
    more: Frame = {}
    while more.get("cursor") != "":
        page = await connection.request("sessions", limit=1, **more)
        found += page["sessions"]
        more = {"cursor": page["cursor"]}
    assert len(found) == len({each["conv"] for each in found})
    return next((each for each in found if each["conv"] == conv), {})


async def until_entry(connection: Connection, conv: str, **fields: Any) -> Frame:
    """Wait until an entry says so: messages come into the list right after their `ok`."""
    found: Frame = {}
    with trio.move_on_after(5):
        while (found := await entry(connection, conv)) | fields != found:
            await trio.sleep(0.05)
    assert found | fields == found
    return found


class Chat:
    """Two friends of whom one writes all the time; the other must get it all."""

    def __init__(self, speaker: Connection, hearer: Device, conv: str) -> None:
        self._hearer = hearer
        self._conv = conv
        self._talker = Talker(lambda text: say(speaker, conv, text))
        self.talk = self._talker.talk

    async def require_unharmed(self) -> None:
        """Require that all that was written has been taken, once, in order."""
        last = await self._talker.end()
        await self._hearer.until_taken(self._conv, last["seq"])
        assert self._hearer.texts(self._conv) == self._talker.texts
        assert self._hearer.seqs(self._conv) == [*range(1, last["seq"] + 1)]


@asynccontextmanager
async def unharmed_chat(cluster: Cluster, room: str) -> AsyncIterator[None]:
    """Have two friends write, and require in the end that all has come."""
    async with friends(cluster, f"by-{room}") as (ann, bob, ann_there, _):
        chat = Chat(ann_there, bob, direct(ann.uid, bob.uid))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chat.talk)
            yield
            await chat.require_unharmed()
