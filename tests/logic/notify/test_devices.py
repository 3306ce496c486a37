import msgspec
import pytest
from sqlalchemy import insert, select

from backends.database import schema
from logic.im.service import Asker
from logic.notify.devices import MAX_TOKENS, DeviceHandlers
from proto.errors import RequestError
from proto.requests.devices import DeviceRemove, DeviceSet

MAX_DEVICES = 20


class Devices:
    def __init__(self, database) -> None:
        self.database = database
        self.handlers = DeviceHandlers(database, lambda: MAX_DEVICES, lambda: 1000).handlers()

    async def set(self, uid: str, device: str, token: str, provider: str = "fcm") -> None:
        asker = Asker(uid, uid.title(), "viewer", device, "t")
        request = DeviceSet(id=1, provider=provider, token=token)
        answer = await self.handlers[DeviceSet](asker, request)
        assert msgspec.json.decode(answer) == {}

    async def remove(self, uid: str, device: str, other: str | None = None) -> None:
        asker = Asker(uid, uid.title(), "viewer", device, "t")
        await self.handlers[DeviceRemove](asker, DeviceRemove(id=1, device=other))

    async def insert(self, table, **row) -> None:
        await self.database.write(lambda connection: connection.execute(insert(table), row))

    async def known(self, uid: str) -> dict[str, str]:
        d = schema.devices.c
        query = select(d.device, d.token).where(d.uid == uid)
        return dict(
            map(tuple, await self.database.read(lambda connection: connection.execute(query).all()))
        )


@pytest.fixture
def devices(database):
    return Devices(database)


async def test_a_token_is_kept_and_replaced(devices):
    await devices.insert(schema.devices, uid="ann", device="phone", cursor=7, seen=3)
    await devices.set("ann", "phone", "t1")
    await devices.set("ann", "phone", "t2")
    query = select(schema.devices)
    rows = await devices.database.read(lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in rows] == [("ann", "phone", 7, 3, "fcm", "t2")]


async def test_a_token_moves_with_the_phone(devices):
    await devices.set("ann", "phone", "t1")
    await devices.set("ann", "tablet", "t2")
    await devices.set("bob", "phone", "t1")
    assert await devices.known("ann") == {"phone": "", "tablet": "t2"}
    assert await devices.known("bob") == {"phone": "t1"}
    # The same letters from another provider are another token.
    await devices.set("cid", "phone", "t1", provider="webhook")
    assert await devices.known("bob") == {"phone": "t1"}


async def test_a_device_that_was_not_known_starts_at_the_end_of_the_mailbox(devices):
    await devices.insert(schema.mailboxes, uid="ann", head=40)
    await devices.set("ann", "phone", "t1")
    query = select(schema.devices.c.cursor)
    assert (await devices.database.read(lambda c: c.execute(query).scalars().all())) == [40]


async def test_the_device_heard_least_recently_is_no_longer_notified(devices):
    for number in range(MAX_TOKENS):
        await devices.insert(
            schema.devices,
            uid="ann",
            device=f"d{number}",
            seen=100 - number,
            provider="fcm",
            token=f"t{number}",
        )
    await devices.set("ann", "new", "t-new")
    known = await devices.known("ann")
    assert [device for device, token in known.items() if not token] == [f"d{MAX_TOKENS - 1}"]
    assert known["new"] == "t-new"


async def test_ten_thousand_devices_of_a_user_grow_nothing(devices):
    for number in range(300):
        await devices.set("ann", f"d{number}", f"t{number}")
    known = await devices.known("ann")
    assert len(known) <= MAX_DEVICES
    assert len([token for token in known.values() if token]) == MAX_TOKENS
    assert known["d299"] == "t299"


async def test_a_device_is_forgotten_with_its_positions(devices):
    await devices.set("ann", "phone", "t1")
    await devices.set("ann", "tablet", "t2")
    await devices.set("bob", "tablet", "t3")
    await devices.insert(schema.hot_cursors, uid="ann", device="tablet", conv="g:a", seq=1)
    await devices.remove("ann", "phone", "tablet")
    assert await devices.known("ann") == {"phone": "t1"}
    assert await devices.known("bob") == {"tablet": "t3"}
    query = select(schema.hot_cursors)
    assert await devices.database.read(lambda c: c.execute(query).all()) == []
    await devices.remove("ann", "phone")
    await devices.remove("ann", "phone")
    assert await devices.known("ann") == {}


async def test_a_connection_without_a_device_is_told_what_it_lacks(devices):
    for call in (devices.set("ann", "", "t1"), devices.remove("ann", "")):
        with pytest.raises(RequestError) as error:
            await call
        assert error.value.body.field == "device"
