"""The requests `device_set` and `device_remove`: where a user is notified."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from backends.database.database import Database
from backends.database.dialects import insert_or
from backends.database.schema import devices, hot_cursors, mailboxes
from logic.im.service import Asker, Handle
from proto.errors import ErrorCode, RequestError
from proto.requests.devices import DeviceRemove, DeviceSet

MAX_TOKENS = 10
"""Devices of a user that are notified; with one more, the one heard least recently is not."""
MAX_DEVICES = 20
"""Devices of a user that are known at all, as for those that connect."""
OK = b"{}"
_D = devices.c


class DeviceHandlers:
    """Keeps and forgets the tokens of devices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> Mapping[type, Handle]:
        """Return what answers each request."""
        return {DeviceSet: self.set, DeviceRemove: self.remove}

    async def set(self, asker: Asker, request: DeviceSet) -> bytes:
        """Notify the asker's device at the token from now on, and nobody else there."""
        device = _named(asker.device)
        await self._database.write(
            lambda connection: set_token(
                connection, asker.uid, device, request.provider, request.token
            )
        )
        return OK

    async def remove(self, asker: Asker, request: DeviceRemove) -> bytes:
        """Forget a device of the asker's; one that is not known is forgotten already."""
        device = _named(request.device or asker.device)
        await self._database.write(lambda connection: forget(connection, asker.uid, device))
        return OK


def set_token(connection: Connection, uid: str, device: str, provider: str, token: str) -> None:
    """Give `device` the token, and take it from whatever device had it: an app belongs to whoever
    has logged in last."""
    had_it = (_D.provider == provider) & (_D.token == token)
    connection.execute(update(devices).where(had_it).values(provider="", token=""))
    row = {"uid": uid, "device": device, "provider": provider, "token": token}
    # A device that is new here starts at the end of the mailbox, as `hello` would have it.
    head = select(mailboxes.c.head).where(mailboxes.c.uid == uid)
    start = connection.execute(head).scalar() or 0
    named = insert_or(connection, devices).values(**row, cursor=start, seen=0)
    connection.execute(
        named.on_conflict_do_update(
            index_elements=["uid", "device"], set_={"provider": provider, "token": token}
        )
    )
    _trim(connection, uid, device)


def _trim(connection: Connection, uid: str, device: str) -> None:
    """Keep the devices, and among them those with a token, from being too many; `device` stays."""
    of_user = _D.uid == uid
    notified = of_user & (_D.token != "")
    spare = _oldest(connection, notified, _D.device != device, MAX_TOKENS)
    if spare:
        chosen = of_user & _D.device.in_(spare)
        connection.execute(update(devices).where(chosen).values(provider="", token=""))
    for each in _oldest(connection, of_user, _D.token == "", MAX_DEVICES):
        forget(connection, uid, each)


def _oldest(
    connection: Connection, counted: ColumnElement[bool], spare: ColumnElement[bool], most: int
) -> list[str]:
    """Return as many devices as those `counted` are more than `most`: of the `spare` among them
    those heard least recently."""
    count = connection.execute(
        select(func.count()).select_from(devices).where(counted)
    ).scalar_one()
    if count <= most:
        return []
    query = select(_D.device).where(counted, spare).order_by(_D.seen).limit(count - most)
    return list(connection.execute(query).scalars())


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
