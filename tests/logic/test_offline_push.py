"""Presence and offline push in a whole logic node, asked as access nodes ask."""

import dataclasses

import msgspec
import pytest
import trio
from sqlalchemy import insert, select

from backends.database.schema import devices, notifications
from backends.leases.interface import NodeLease
from backends.push.interface import Outcome, Verdict
from backends.routes.interface import Route
from proto.im_services import PresenceBody, decode_presence_answer
from proto.services import Method
from tests.logic.im.conftest import People


class Provider:
    """Takes everything."""

    def __init__(self):
        self.sent = []

    async def send(self, notification):
        await trio.lowlevel.checkpoint()
        self.sent.append(notification)
        return Outcome(Verdict.SENT)


@pytest.fixture
def fcm(world):
    provider = Provider()
    world.parts = dataclasses.replace(world.parts, providers={"fcm": provider})
    return provider


async def test_who_is_away_is_notified_of_what_was_sent(
    world, fcm, running, ask, database, autojump_clock
):
    node, _ = await running()
    await People(database).befriend("ann", "bob")
    device = msgspec.json.encode({"op": "device_set", "id": 1, "provider": "fcm", "token": "t1"})
    assert await ask(node, Method.IM, device, uid="bob", name="Bob", room="phone") == b"{}"
    said = {"op": "send", "id": 2, "conv": "d:ann|bob", "mid": "m1", "text": "hello"}
    answer = await ask(node, Method.IM, msgspec.json.encode(said), room="web")
    sent = msgspec.json.decode(answer)
    for _ in range(8):  # Until the registry has settled, nobody is told anything.
        await trio.sleep(1)
    assert [(each.uid, each.token, each.id, each.body) for each in fcm.sent] == [
        ("bob", "t1", sent["id"], "hello")
    ]
    left = await database.read(lambda c: c.execute(select(notifications)).all())
    assert left == []


async def test_presence_is_told_per_device(world, running, ask, database, autojump_clock):
    node, _ = await running()
    await database.write(
        lambda c: c.execute(insert(devices), {"uid": "bob", "device": "tablet", "seen": 5}) and None
    )
    await world.parts.routes.add([("bob", Route("access-1", "i1", 1, "phone"))])
    asked = PresenceBody(["bob"])
    (bob,) = decode_presence_answer(await ask(node, Method.PRESENCE, asked)).users
    assert bob.state == "unknown"
    for _ in range(5):
        await world.registry.renew(NodeLease("access-1", "access", "local", "i1", "", {}))
        await trio.sleep(1)
    (bob,) = decode_presence_answer(await ask(node, Method.PRESENCE, asked)).users
    assert (bob.state, {each.device: each.online for each in bob.devices}) == (
        "online",
        {"phone": True, "tablet": False},
    )
