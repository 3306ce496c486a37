"""Asks where mailboxes and hot groups end, for the message that was lost and has none behind it."""

from collections.abc import Callable, Iterator
from math import ceil

import trio

from access.im.devices import Devices
from access.im.ends import Ends
from access.im.hot_groups import HotGroups
from mesh.interface import Mesh

MAX_PART = 500
"""Users and groups in one question."""
PARTS = 10
"""At least so many questions in a round, so that they are spread over it."""
LOOK_S = 0.25
"""So often it is looked whether a relay's link has come or gone."""
HURRY_S = 0.5
"""After a relay came or went, all are asked within this time, at random: other nodes ask too."""

Part = tuple[list[str], list[str]]


class Tails:
    """Asks for every user and hot group of the node once in a round, and sooner when a relay's link
    has come or gone: what was on it may be lost."""

    def __init__(
        self,
        devices: Devices,
        hot_groups: HotGroups,
        ends: Ends,
        mesh: Mesh,
        random: Callable[[], float],
    ) -> None:
        self._devices = devices
        self._hot_groups = hot_groups
        self._ends = ends
        self._mesh = mesh
        self._random = random
        self._changes = mesh.changes

    async def run(self, every_s: float) -> None:
        """Ask for all in each `every_s` seconds, for ever."""
        while True:
            if self._mesh.changes != self._changes:
                self._changes = self._mesh.changes
                await trio.sleep(self._random() * HURRY_S)
                await self._round(0.0)
            else:
                await self._round(every_s)

    async def _ask(self, uids: list[str], hot: list[str]) -> None:
        ends = await self._ends.of(uids, hot)
        for uid, n in zip(uids, ends.mailboxes, strict=False):
            for device in self._devices.of(uid):
                device.tail(n)
        for conv, n in zip(hot, ends.hot, strict=False):
            self._hot_groups.tail(conv, n)

    async def _round(self, over_s: float) -> None:
        began = trio.current_time()
        parts = list(_parts(self._devices.uids(), self._hot_groups.names()))
        for index, part in enumerate(parts, 1):
            await self._ask(*part)
            if await self._disturbed(until=began + over_s * index / len(parts)):
                return
        if not parts:
            await trio.sleep(LOOK_S)

    async def _disturbed(self, until: float) -> bool:
        """Wait, and say whether a relay came or went meanwhile: then at once."""
        while self._mesh.changes == self._changes:
            left_s = until - trio.current_time()
            if left_s <= 0:
                return False
            await trio.sleep(min(left_s, LOOK_S))
        return True


def _parts(uids: list[str], hot: list[str]) -> Iterator[Part]:
    for names in (uids, hot):
        size = min(ceil(len(names) / PARTS), MAX_PART)
        for start in range(0, len(names), size or 1):
            part = names[start : start + size]
            yield (part, []) if names is uids else ([], part)
