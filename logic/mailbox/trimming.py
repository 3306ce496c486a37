"""Mailboxes are kept short, in small steps beside everything else."""

import structlog
import trio

from backends.database.database import Database
from backends.database.diffusing import Mailbox
from backends.database.trimming import trim
from backends.errors import StoreUnavailableError
from logic.mailbox.counters import MailboxCounters
from logic.mailbox.diffusion import Diffused

ROWS_A_STEP = 500
PAUSE_S = 0.05
"""Between two steps: with 500 rows each they keep up with 10,000 rows a second."""
MAX_WAITING = 10_000


class Trimming:
    """Trims the mailboxes that were just filled beyond `keep`; a tenth more is let pass, so that
    each message does not trim one row. What is forgotten here is found with the next message."""

    def __init__(self, database: Database, keep: int, counters: MailboxCounters) -> None:
        self._database = database
        self._keep = keep
        self._slack = max(1, keep // 10)
        self._counters = counters
        self._waiting: dict[str, None] = {}
        self._wake = trio.Event()

    def __call__(self, diffused: Diffused) -> None:
        """Notice what has become too long."""
        for uid, mailbox in diffused.mailboxes.items():
            if self._is_long(mailbox) and len(self._waiting) < MAX_WAITING:
                self._waiting[uid] = None
                self._wake.set()

    async def run(self) -> None:
        """Trim until cancelled."""
        while True:
            await self._wake.wait()
            if self._waiting:
                await self._step(next(iter(self._waiting)))
                await trio.sleep(PAUSE_S)
            else:
                self._wake = trio.Event()

    async def _step(self, uid: str) -> None:
        try:
            trimmed = await self._database.write(
                lambda connection: trim(connection, uid, self._keep, ROWS_A_STEP)
            )
        except StoreUnavailableError as error:
            structlog.get_logger().debug("mailbox_not_trimmed", uid=uid, reason=str(error))
            trimmed = 0
        self._counters.trimmed += trimmed
        if trimmed < ROWS_A_STEP:
            self._waiting.pop(uid, None)

    def _is_long(self, mailbox: Mailbox) -> bool:
        return mailbox.head - mailbox.oldest + 1 > self._keep + self._slack
