"""`OPEN`: a device begins to take instant messages, and learns where it goes on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection

from backends.database import device_rows
from backends.database.database import Database
from backends.database.device_rows import HotPlace
from backends.database.epoch import read_epoch
from backends.database.group_commit import GroupCommit
from backends.database.streams import read_mailbox_stand
from logic.mailbox.counters import MailboxCounters
from logic.mailbox.settings import MailboxSettings
from proto.headers import RequestHeader
from proto.im_services import HotStart, OpenAnswer, OpenBody, decode_open
from proto.services import encode

OPENINGS_AT_ONCE = 50
FROM_CURSOR = -1
"""`OpenBody.since` of a device that leaves it to the cluster."""


class Opening(NamedTuple):
    """A device of `uid` that connects, and what it says."""

    uid: str
    body: OpenBody


class Stand(NamedTuple):
    """A mailbox: the name of its numbering, its last number and the oldest that it has."""

    epoch: str
    head: int
    oldest: int


class OpenHandler:
    """Serves `Method.OPEN`; openings that come together share a transaction."""

    def __init__(
        self,
        database: Database,
        settings: MailboxSettings,
        *,
        now_ms: Callable[[], int],
        counters: MailboxCounters,
    ) -> None:
        self.settings = settings
        self._now_ms = now_ms
        self._counters = counters
        self.openings: GroupCommit[Opening, OpenAnswer] = GroupCommit(
            database, self._apply, most=OPENINGS_AT_ONCE
        )

    async def handle(self, header: RequestHeader, body: bytes) -> bytes:
        """Return an `OpenAnswer`; raises `StoreUnavailableError`."""
        answer = await self.openings.do(Opening(header.uid, decode_open(body)))
        self._counters.opened += 1
        return encode(answer)

    async def run(self) -> None:
        """Do what comes, until cancelled."""
        await self.openings.run()

    def _apply(self, connection: Connection, openings: Sequence[Opening]) -> list[OpenAnswer]:
        # By user: two transactions that hold the same ones do not wait for each other.
        order = sorted(range(len(openings)), key=lambda index: openings[index][0])
        opened = partial(open_device, connection, self.settings, self._now_ms())
        answers = {index: opened(openings[index]) for index in order}
        return [answers[index] for index in range(len(openings))]


def open_device(
    connection: Connection, settings: MailboxSettings, now_ms: int, opening: Opening
) -> OpenAnswer:
    """Note the device, and return where it goes on."""
    uid, body = opening
    cursor = device_rows.note_device(connection, uid, body.device, now_ms)
    stand = Stand(read_epoch(connection), *read_mailbox_stand(connection, uid))
    start, standing = place(body, stand, cursor, settings.sync_threshold)
    if cursor is None:
        device_rows.bound_devices(connection, uid, body.device, settings.max_devices)
        device_rows.set_cursor(connection, uid, body.device, start)
    said = body.hot if body.epoch == stand.epoch else {}
    places = device_rows.read_hot_places(connection, uid, body.device, said)
    hot = hot_starts(places, said, settings.sync_threshold)
    return OpenAnswer(stand.epoch, stand.head, start, standing, hot)


def place(body: OpenBody, stand: Stand, cursor: int | None, threshold: int) -> tuple[int, str]:
    """Return after which number a device goes on, and how that is: see `OpenAnswer`."""
    if body.since == FROM_CURSOR:
        since = stand.head if cursor is None else min(cursor, stand.head)
    elif body.epoch != stand.epoch or body.since > stand.head:
        return stand.head, "reset"
    else:
        since = body.since
    if since < stand.oldest - 1 or stand.head - since > threshold:
        return stand.head, "behind"
    return since, "level"


def hot_starts(
    places: Iterable[HotPlace], said: Mapping[str, int], threshold: int
) -> list[HotStart]:
    """Return where a device goes on in hot groups: where it says, else where it was, else now.

    One that is over is there as long as the device lacks something of its stream. What
    is more than `threshold` is not pushed: the device sees that the start is beyond its own place,
    and asks for pages.
    """
    starts = []
    for group in places:
        since = said.get(group.conv, group.cursor)
        since = group.head if since is None else max(min(since, group.head), group.before)
        if group.hot or since < group.head:
            start = since if group.head - since <= threshold else group.head
            starts.append(HotStart(group.conv, group.head, start, group.left))
    return starts
