"""Looks after the groups that may have to become hot, or to cool."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import structlog
import trio

from backends.database import hot_groups
from backends.database.appending import Appended
from backends.database.database import Database
from backends.database.hot_groups import Activity
from backends.errors import StoreUnavailableError
from logic.mailbox.diffusion import Diffused
from logic.mailbox.hot_rules import HotRules, Signs
from logic.mailbox.settings import HotSettings
from proto.conversations import ConversationKind, kind_of

NOTICED_EVERY_S = 0.5
"""A group that was written to is looked at so soon: a hundred messages of one are one look."""
MAX_NOTICED = 10_000
GROUPS_AT_ONCE = 200
log = structlog.get_logger()

Committed = Callable[[Sequence[Appended], str], None]
"""Takes messages that were just committed, and a trace."""


class HotGroups:
    """Heats groups that were written to, and cools hot ones. Any instance may look at any group:
    the switch itself is one transaction that finds the other way, or does nothing."""

    def __init__(
        self,
        database: Database,
        settings: HotSettings,
        committed: Committed,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._settings = settings
        self._rules = HotRules(settings)
        self._committed = committed
        self._now_ms = now_ms
        self._noticed: set[str] = set()

    def __call__(self, diffused: Diffused) -> None:
        """Notice the groups that were just written to."""
        convs = {each.message.conv for each in diffused.posted}
        groups = {conv for conv in convs if kind_of(conv) is ConversationKind.GROUP}
        if len(self._noticed) < MAX_NOTICED:
            self._noticed |= groups

    def reconfigured(self, settings: HotSettings) -> None:
        """Go by other thresholds from now on."""
        self._settings, self._rules = settings, HotRules(settings)

    async def run(self) -> None:
        """Look until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heat)
            nursery.start_soon(self._cool)

    async def look(self, convs: Iterable[str]) -> None:
        """Switch those of `convs` that are not as they are to be; raises
        `StoreUnavailableError`."""
        asked, back = sorted(convs), (self._rules.busy_back, self._rules.quiet_back)
        activities = await self._database.read(
            lambda connection: hot_groups.read_activity(connection, asked, back)
        )
        for each in activities:
            hot = self._rules.next(each.hot, self._signs(each))
            if hot != each.hot:
                await self._switch(each.conv, hot)

    async def look_at_hot(self) -> None:
        """Look at all hot groups, some at a time; raises `StoreUnavailableError`."""
        after = ""
        while True:
            convs = await self._database.read(
                partial(hot_groups.open_spans, after=after, most=GROUPS_AT_ONCE)
            )
            await self.look(convs)
            if len(convs) < GROUPS_AT_ONCE:
                return
            after = convs[-1]

    async def _heat(self) -> None:
        while True:
            await trio.sleep(NOTICED_EVERY_S)
            some = sorted(self._noticed)[:GROUPS_AT_ONCE]
            self._noticed.difference_update(some)
            if some:
                await self._try(partial(self.look, some))

    async def _cool(self) -> None:
        while True:
            await trio.sleep(self._settings.look_s)
            await self._try(self.look_at_hot)

    async def _try(self, look: Callable[[], Awaitable[None]]) -> None:
        try:
            await look()
        except StoreUnavailableError as error:
            log.debug("groups_not_looked_at", reason=str(error))  # The database has warned.

    async def _switch(self, conv: str, hot: bool) -> None:
        now_ms = self._now_ms()
        appended = await self._database.write(
            lambda connection: hot_groups.switch(connection, conv, hot, now_ms)
        )
        if appended is not None:
            log.info("group_switched", conv=conv, hot=hot, seq=appended.seq)
            self._committed([appended], "")

    def _signs(self, group: Activity) -> Signs:
        busy, quiet = (self._now_ms() - at if at else None for at in group.ts_ms)
        return Signs(group.members, group.tagged, busy, quiet)
