"""The users of this node, and the messages that go to users instead of rooms."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from access.counters import AccessCounters
from access.edge.interface import Connection
from access.im.messaging import Messaging, takes
from proto import server_frames
from proto.envelopes import Envelope
from proto.headers import UsersHeader, decode_users
from proto.priorities import Priority

log = structlog.get_logger()

DEDUP_ENTRIES = 50_000
DEDUP_AGE_S = 60.0
"""Direct messages are recognised for so long: longer than a bus takes to deliver again."""

DIRECT = b'{"push":"direct"'
"""What a back end's push begins with: all connections get it. The rest is for those that take
instant messages."""


class Users:
    """uid -> connections: a user may have several devices."""

    def __init__(self) -> None:
        self._connections: dict[str, dict[int, Connection]] = {}
        self._coming: set[tuple[str, Connection]] = set()

    def __len__(self) -> int:
        return len(self._connections)

    @contextmanager
    def coming(self, uid: str, connection: Connection) -> Iterator[None]:
        """Have `all_of` know a connection whose hello is looked at; nothing goes to it yet."""
        self._coming.add((uid, connection))
        try:
            yield
        finally:
            self._coming.discard((uid, connection))

    def all_of(self, uid: str) -> list[Connection]:
        """Return a user's connections to this node, those that are being let in too."""
        return [*self.connections(uid), *(each for name, each in self._coming if name == uid)]

    def add(self, uid: str, connection: Connection) -> None:
        """Note a user's connection."""
        self._connections.setdefault(uid, {})[connection.id] = connection

    def remove(self, uid: str, connection: Connection) -> None:
        """Forget a user's connection."""
        connections = self._connections.get(uid, {})
        connections.pop(connection.id, None)
        if not connections:
            self._connections.pop(uid, None)

    def here(self, uids: Iterable[str]) -> list[str]:
        """Return those of `uids` that are connected to this node."""
        return [uid for uid in uids if uid in self._connections]

    def uids(self) -> list[str]:
        """Return the users that are connected now."""
        return list(self._connections)

    def everybody(self) -> Iterator[Connection]:
        """Yield all connections of all users."""
        for connections in self._connections.values():
            yield from connections.values()

    def connections(self, uid: str) -> list[Connection]:
        """Return a user's connections to this node."""
        return list(self._connections.get(uid, {}).values())


class SeenOnce:
    """Remembers what was seen, for `age_s` and up to `size` entries."""

    def __init__(self, size: int = DEDUP_ENTRIES, age_s: float = DEDUP_AGE_S) -> None:
        self._size = size
        self._age_s = age_s
        self._seen: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def first(self, key: tuple[str, str], now: float) -> bool:
        """Say whether `key` is new, and remember it."""
        seen_at = self._seen.pop(key, None)
        self._seen[key] = now
        self._forget(now)
        return seen_at is None or now - seen_at > self._age_s

    def _forget(self, now: float) -> None:
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= self._size and now - self._seen[oldest] <= self._age_s:
                return
            del self._seen[oldest]


class Deliveries:
    """Takes USERS envelopes: looks at the header first, at the body only for who is here."""

    def __init__(
        self, users: Users, messaging: Messaging, counters: AccessCounters, seen: SeenOnce
    ) -> None:
        self._users = users
        self._messaging = messaging
        self._counters = counters
        # By uid too: a long list of receivers comes in parts with the same id.
        self._seen = seen

    def receive(self, envelope: Envelope, now: float) -> None:
        """Deliver to the receivers that are connected here, each once."""
        try:
            header = decode_users(envelope.header)
            priority = Priority(envelope.priority)
        except (msgspec.MsgspecError, ValueError):
            self._counters.bad_envelopes += 1
            return
        if header.seqs:
            self._counters.bad_envelopes += not self._messaging.receive(header, envelope.body)
            return
        here = self._users.here(header.uids)
        if not here:
            self._counters.direct_elsewhere += 1
            return
        self._deliver(envelope, header, priority, [u for u in here if self._is_new(header, u, now)])

    def _is_new(self, header: UsersHeader, uid: str, now: float) -> bool:
        new = self._seen.first((header.id, uid), now)
        self._counters.direct_duplicates += not new
        return new

    def _deliver(
        self, envelope: Envelope, header: UsersHeader, priority: Priority, uids: list[str]
    ) -> None:
        message = server_frames.message([envelope.body])
        for_all = envelope.body.startswith(DIRECT)
        for uid in uids:
            for connection in self._users.connections(uid):
                if not (for_all or takes(connection)):
                    continue
                connection.send(message, priority)
                self._counters.direct_deliveries += 1
        log.debug("direct_delivered", trace=header.trace, id=header.id, receivers=len(uids))
