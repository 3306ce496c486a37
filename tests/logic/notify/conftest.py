"""A notifier on a fresh database, with presence and providers that the test decides."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from sqlalchemy import insert, select

from backends.database import schema
from backends.database.appending import NewMessage, append
from backends.database.database import Database
from backends.errors import StoreUnavailableError
from backends.push.interface import Notification, Outcome, Verdict
from logic.notify.notifier import Notifier
from logic.notify.settings import PushSettings
from logic.presence.presence import Online, State
from proto.conversations import message_id
from proto.server_frames import encode_json

START_MS = 1_790_000_000_000
SENT = Outcome(Verdict.SENT)


class FakePresence:
    """Everybody is offline, but for those said otherwise."""

    def __init__(self) -> None:
        self.known: dict[str, Online] = {}

    async def of(self, uids: Any) -> list[Online]:
        await trio.lowlevel.checkpoint()
        return [self.known.get(uid, Online(State.OFFLINE)) for uid in uids]


class FakeProvider:
    """Keeps what it is sent; `answer` says what comes of it."""

    def __init__(self) -> None:
        self.sent: list[Notification] = []
        self.tried: list[Notification] = []
        self.answer: Callable[[Notification], Outcome] = lambda _: SENT
        self.takes_s = 0.0

    async def send(self, notification: Notification) -> Outcome:
        self.tried.append(notification)
        await trio.sleep(self.takes_s)
        outcome = self.answer(notification)
        if outcome.verdict is Verdict.SENT:
            self.sent.append(notification)
        return outcome


class AwayDatabase:
    """The database, which can be away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = False

    async def read(self, work: Any) -> Any:
        if self.away:
            raise StoreUnavailableError("away")
        return await self._database.read(work)

    async def write(self, work: Any) -> Any:
        if self.away:
            raise StoreUnavailableError("away")
        return await self._database.write(work)


class World:
    """What several instances of the notifier share."""

    def __init__(self, database: Database) -> None:
        self.database = AwayDatabase(database)
        self.presence = FakePresence()
        self.fcm, self.webhook = FakeProvider(), FakeProvider()
        self.began = trio.current_time()

    def now_ms(self) -> int:
        return START_MS + round((trio.current_time() - self.began) * 1000)

    def notifier(self, **changed: Any) -> Notifier:
        return Notifier(
            PushSettings(**changed),
            self.database,
            self.presence,
            {"fcm": self.fcm, "webhook": self.webhook},
            now_ms=self.now_ms,
            random_bits=lambda _: 0,
        )

    @asynccontextmanager
    async def running(self, **changed: Any) -> AsyncIterator[Notifier]:
        async with trio.open_nursery() as nursery:
            notifier = self.notifier(**changed)
            nursery.start_soon(notifier.run)
            yield notifier
            nursery.cancel_scope.cancel()

    async def do(self, statement: Any, *values: Any) -> Any:
        return await self.database.write(lambda connection: connection.execute(statement, *values))

    async def device(self, device: str = "phone", uid: str = "bob", **fields: Any) -> None:
        row = {"provider": "fcm", "token": f"{uid}-{device}", "uid": uid, "device": device}
        await self.do(insert(schema.devices), row | fields)

    async def says(
        self,
        text: str = "hello",
        conv: str = "d:ann|bob",
        uid: str = "bob",
        *,
        n: int = 1,
        mentioned: bool = False,
        due_in_ms: int = 0,
        kind: str = "message",
    ) -> int:
        """Say something to `uid`, who may have to be notified; returns its number."""
        new = NewMessage(conv, "ann", "Ann", kind, f"m{n}-{uid}", encode_json({"text": text}))

        def work(connection: Any) -> int:
            seq = append(connection, [new], self.now_ms())[0].seq
            known = (schema.notifications.c.uid == uid) & (schema.notifications.c.conv == conv)
            connection.execute(schema.notifications.delete().where(known))
            row = {
                "uid": uid,
                "conv": conv,
                "seq": seq,
                "n": n,
                "due": self.now_ms() + due_in_ms,
                "mentioned": mentioned,
            }
            connection.execute(insert(schema.notifications), row)
            return seq

        return await self.database.write(work)

    async def session(self, conv: str = "d:ann|bob", uid: str = "bob", **fields: Any) -> None:
        await self.do(insert(schema.sessions), {"uid": uid, "conv": conv} | fields)

    async def rows(self) -> list[Any]:
        query = select(schema.notifications)
        return list(await self.database.read(lambda connection: connection.execute(query).all()))

    async def tokens(self, uid: str = "bob") -> dict[str, str]:
        d = schema.devices.c
        query = select(d.device, d.token).where(d.uid == uid)
        found = await self.database.read(lambda connection: connection.execute(query).all())
        return dict(map(tuple, found))


def ids(notifications: list[Notification]) -> list[tuple[str, str]]:
    """Return to whom, and which message."""
    return [(each.device, each.id) for each in notifications]


def message(seq: int, conv: str = "d:ann|bob") -> str:
    return message_id(conv, seq)


@pytest.fixture
async def world(database: Database) -> World:
    return World(database)
