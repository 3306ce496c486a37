"""Works off the table `notifications`: takes what is due, decides, notifies, writes it down."""

from collections.abc import Callable, Mapping, Sequence

import structlog
import trio
from prometheus_client.registry import Collector

from backends.database.database import Database
from backends.database.group_commit import GroupCommit
from backends.errors import StoreUnavailableError
from backends.push.interface import Provider
from logic.notify import rows
from logic.notify.contents import Content, read_content
from logic.notify.counters import NotifyCounters
from logic.notify.facts import Facts, read_facts
from logic.notify.gate import Gate
from logic.notify.metrics import NotifyCollector
from logic.notify.rows import Conclusion, Row
from logic.notify.rules import Cancel, Tell, Wait, decide
from logic.notify.settings import PushSettings
from logic.notify.telling import Telling
from logic.presence.presence import Presence
from proto.ids import RandomBits

MOST = 100
"""Rows taken at once: a write of a few milliseconds."""
COUNT_EVERY_S = 10.0
DATABASE_PAUSE_S = 5.0
TELL_WITHIN_S = rows.CLAIM_MS / 1000 / 2
BROKEN_MS = 60_000
"""After which a row is tried again over which this code broke."""
log = structlog.get_logger()


class Notifier:
    """One instance's share of offline push; any number of them share the table."""

    def __init__(
        self,
        settings: PushSettings,
        database: Database,
        presence: Presence,
        providers: Mapping[str, Provider],
        *,
        now_ms: Callable[[], int],
        random_bits: RandomBits,
    ) -> None:
        self._settings = settings
        self._database = database
        self._presence = presence
        self._now_ms = now_ms
        self.counters = NotifyCounters()
        self._gates = {
            name: Gate(provider, settings.concurrency) for name, provider in providers.items()
        }
        self._telling = Telling(
            settings, self._gates, self.counters, now_ms=now_ms, random_bits=random_bits
        )
        self._conclusions: GroupCommit[Conclusion, bool] = GroupCommit(
            database, rows.conclude, most=MOST
        )
        self.at_work = 0

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        return [NotifyCollector(self.counters, self._gates)]

    async def run(self) -> None:
        """Notify whoever has to be, until cancelled; what is taken then comes again later."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._conclusions.run)
            nursery.start_soon(self._count)
            while True:
                await trio.sleep(await self._round(nursery))

    async def _round(self, nursery: trio.Nursery) -> float:
        """Take what is due and start work on it; returns the seconds until the next round."""
        most = min(MOST, self._settings.at_work - self.at_work)
        if most <= 0:
            return self._settings.poll_s
        try:
            taken = await self._claim(most)
            await self._work_on(taken, nursery)
        except StoreUnavailableError as error:
            log.warning("notifications_not_read", reason=str(error))
            return DATABASE_PAUSE_S
        return 0 if len(taken) == most else self._settings.poll_s

    async def _claim(self, most: int) -> list[Row]:
        now_ms = self._now_ms()
        # Looked at before, since a write takes the lock of SQLite.
        if not await self._database.read(lambda connection: rows.any_due(connection, now_ms)):
            return []
        return await self._database.write(lambda connection: rows.claim(connection, now_ms, most))

    async def _work_on(self, taken: Sequence[Row], nursery: trio.Nursery) -> None:
        if not taken:
            return
        facts = await self._database.read(lambda connection: read_facts(connection, taken))
        uids = sorted({row.uid for row in taken})
        online = dict(zip(uids, await self._presence.of(uids), strict=True))
        unacked_ms = round(self._settings.unacked_s * 1000)
        for each in facts:
            decided = decide(each, online[each.row.uid], self._now_ms(), unacked_ms)
            self.at_work += 1
            nursery.start_soon(self._follow, each, decided)

    async def _follow(self, facts: Facts, decided: Cancel | Wait | Tell) -> None:
        try:
            conclusion = await self._concluded(facts, decided)
            await self._conclusions.do(conclusion)
        except StoreUnavailableError as error:
            # The claim runs out, and the row comes again.
            log.debug("notification_not_concluded", uid=facts.row.uid, reason=str(error))
        finally:
            self.at_work -= 1

    async def _concluded(self, facts: Facts, decided: Cancel | Wait | Tell) -> Conclusion:
        match decided:
            case Cancel(reason):
                return self._cancelled(facts.row, reason)
            case Wait(due_ms, reason):
                self.counters.postponed[reason] += 1
                return Conclusion(facts.row, due_ms, facts.row.attempts)
            case Tell():
                return await self._told(facts, decided)

    def _cancelled(self, row: Row, reason: str) -> Conclusion:
        self.counters.cancelled[reason] += 1
        return Conclusion(row)

    async def _told(self, facts: Facts, decided: Tell) -> Conclusion:
        content = await self._database.read(lambda connection: read_content(connection, facts))
        if content is None:
            return self._cancelled(facts.row, "recalled")
        try:
            return await self._told_in_time(facts.row, content, decided)
        except Exception:
            # One that breaks must not hold up the others, nor come back without end.
            log.exception("notification_broke", uid=facts.row.uid, conv=facts.row.conv)
            return self._broken(facts.row, "broke")

    async def _told_in_time(self, row: Row, content: Content, decided: Tell) -> Conclusion:
        with trio.move_on_after(TELL_WITHIN_S):
            return await self._telling.tell(row, content, decided)
        return self._broken(row, "too_slow")

    def _broken(self, row: Row, reason: str) -> Conclusion:
        attempts = row.attempts + 1
        if attempts >= self._settings.attempts:
            self.counters.dropped[reason] += 1
            return Conclusion(row)
        return Conclusion(row, self._now_ms() + BROKEN_MS, attempts)

    async def _count(self) -> None:
        while True:
            try:
                self.counters.pending = await self._database.read(rows.count)
            except StoreUnavailableError:
                pass  # The round has said so.
            await trio.sleep(COUNT_EVERY_S)
