"""The requests `device_set` and `device_remove`: where a user is notified."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, delete, select, update

from backends.database import device_rows
from backends.database.database import Database
from backends.database.dialects import insert_or
from backends.database.schema import devices, hot_cursors, mailboxes
from logic.im.service import Asker, Handle
from logic.notify.rows import Token
from proto.errors import ErrorCode, RequestError
from proto.requests.devices import DeviceRemove, DeviceSet

MAX_TOKENS = 10
"""Devices of a user that are notified; with one more, the one heard least recently is not."""
OK = b"{}"
_D = devices.c


class DeviceHandlers:
    """Keeps and forgets the tokens of devices."""

    def __init__(
        self, database: Database, max_devices: Callable[[], int], now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._max_devices = max_devices
        self._now_ms = now_ms

    def handlers(self) -> Mapping[type, Handle]:
        """Return what answers each request."""
        return {DeviceSet: self.set, DeviceRemove: self.remove}

    async def set(self, asker: Asker, request: DeviceSet) -> bytes:
        """Notify the asker's device at the token from now on, and nobody else there."""
        device = _named(asker.device)
        named = Token(device, request.provider, request.token)

        def work(connection: Connection) -> None:
            set_token(connection, asker.uid, named, self._now_ms())
            device_rows.bound_devices(connection, asker.uid, device, self._max_devices())

        await self._database.write(work)
        return OK

    async def remove(self, asker: Asker, request: DeviceRemove) -> bytes:
        """Forget a device of the asker's; one that is not known is forgotten already."""
        device = _named(request.device or asker.device)
        await self._database.write(lambda connection: forget(connection, asker.uid, device))
        return OK


def set_token(connection: Connection, uid: str, named: Token, now_ms: int) -> None:
    """Give the device its token, and take it from whatever device had it: an app belongs to whoever
    has logged in last."""
    place = {"provider": named.provider, "token": named.token}
    had_it = (_D.provider == named.provider) & (_D.token == named.token)
    connection.execute(update(devices).where(had_it).values(provider="", token=""))
    # A device that is new here starts at the end of the mailbox, as `hello` would have it.
    head = select(mailboxes.c.head).where(mailboxes.c.uid == uid)
    row = {"uid": uid, "device": named.device, "seen": now_ms} | place
    row["cursor"] = connection.execute(head).scalar() or 0
    into = insert_or(connection, devices).values(row)
    connection.execute(into.on_conflict_do_update(index_elements=["uid", "device"], set_=place))
    _trim_tokens(connection, uid, named.device)


def _trim_tokens(connection: Connection, uid: str, device: str) -> None:
    """Take the tokens of those devices that are too many; `device` keeps its own."""
    query = (
        select(_D.device)
        .where(_D.uid == uid, _D.token != "")
        .order_by(_D.device != device, _D.seen.desc(), _D.device)
        .offset(MAX_TOKENS)
    )
    surplus = list(connection.execute(query).scalars())
    if surplus:
        chosen = (_D.uid == uid) & _D.device.in_(surplus)
        connection.execute(update(devices).where(chosen).values(provider="", token=""))


def forget(connection: Connection, uid: str, device: str) -> None:
    """Forget the device and its positions."""
    for table in (devices, hot_cursors):
        connection.execute(delete(table).where(table.c.uid == uid, table.c.device == device))


def _named(device: str) -> str:
    if not device:
        raise RequestError(
            ErrorCode.BAD_FRAME,
            "device: this connection has named none (`im.device` in `hello`)",
            field="device",
        )
    return device
