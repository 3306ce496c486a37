"""The sweeper: puts the events of messages that lie in the outbox for too long on the bus again.

That is where a message is whose event a crash, a full queue or the bus has lost.
"""

from collections.abc import Callable, Sequence

import structlog
import trio
from sqlalchemy import Connection, func, select

from backends.database.database import Database
from backends.database.schema import outbox
from backends.errors import StoreUnavailableError
from logic.im.events import Events
from logic.im.settings import ImSettings
from logic.living import Living
from proto.ids import RandomBits

_JITTER_BITS = 16
Overdue = tuple[str, int, int]
"""A conversation, its last message in the outbox and when the first one was committed."""
log = structlog.get_logger()


class Sweeper:
    """Looks through the outbox by conversations, `sweep_most` at a time, from where it was."""

    def __init__(
        self,
        database: Database,
        events: Events,
        settings: ImSettings,
        living: Living,
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._database = database
        self._events = events
        self._settings = settings
        self._living = living
        self._now_ms = now_ms
        self._random_bits = random_bits
        self._after = ""
        self.overdue = 0
        """Conversations that the last sweep found."""
        self.swept = 0

    async def run(self) -> None:
        """Sweep until cancelled: all instances together about once in `sweep_s`."""
        while True:
            await trio.sleep(self._pause_s())
            try:
                await self.sweep()
            except StoreUnavailableError as error:
                log.debug("sweep_failed", reason=str(error))  # The database has warned.

    async def sweep(self) -> None:
        """Put the events of one page of conversations on the bus again."""
        before_ms = self._now_ms() - round(self._settings.sweep_age_s * 1000)
        most, after = self._settings.sweep_most, self._after
        found = await self._database.read(lambda c: overdue(c, before_ms, after, most))
        self._after = found[-1][0] if len(found) == most else ""
        self.overdue = len(found)
        self.swept += len(found)
        for conv, seq, ts_ms in found:
            self._events.put(conv, seq, ts_ms)

    def _pause_s(self) -> float:
        instances = max(1, len(self._living.logic))
        # Between a half and one and a half: instances that started together do not stay so.
        share = 0.5 + self._random_bits(_JITTER_BITS) / (1 << _JITTER_BITS)
        return self._settings.sweep_s * instances * share


def overdue(connection: Connection, before_ms: int, after: str, most: int) -> Sequence[Overdue]:
    """Return the first `most` conversations behind `after` with messages from before `before_ms`
    in the outbox."""
    o = outbox.c
    query = (
        select(o.conv, func.max(o.seq), func.min(o.ts))
        .where(o.conv > after, o.ts < before_ms)
        .group_by(o.conv)
        .order_by(o.conv)
        .limit(most)
    )
    return [(conv, seq, ts_ms) for conv, seq, ts_ms in connection.execute(query)]
