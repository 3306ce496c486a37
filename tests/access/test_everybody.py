"""What is for everybody on a node, and who is sent out."""

import msgspec
import pytest
import trio
from trio.testing import MockClock

from access.announcements import AT_ONCE, MAX_WAITING
from proto.close_codes import CloseCode
from proto.envelopes import Kind, encode
from proto.headers import EverybodyHeader, KickHeader, encode_header
from proto.priorities import Priority
from proto.resume_tokens import Resume, mint_resume
from proto.server_frames import direct_push
from proto.token_keys import Keyring, hs256
from tests.access.cluster import NOW_MS, SECRET, Client, MakeWorld, World, one_envelope, token


def announce(world: World, name: str = "m1", priority: Priority = Priority.NORMAL) -> None:
    header = encode_header(EverybodyHeader(name, 0, "t"))
    body = direct_push(name, 0, "t", b'{"sale":1}')
    raw = encode(Kind.EVERYBODY, priority, b"", header, body)
    world.node.receive("relay-1", one_envelope(raw))


def kick(world: World, uid: str, name: str = "k1", **fields: str) -> None:
    header = encode_header(KickHeader(name, uid, **fields))
    raw = encode(Kind.KICK, Priority.URGENT, b"", header)
    world.node.receive("relay-1", one_envelope(raw))


def told(client: Client) -> list[str]:
    return [frame["mid"] for frame in client.pushes("direct")]


async def connected(world: World, uid: str, **fields: object) -> Client:
    client = world.client()
    await client.hello(uid, **fields)
    return client


async def test_everybody_is_told_once_however_often_it_comes(
    world: World, autojump_clock: MockClock
) -> None:
    clients = [await connected(world, uid) for uid in ("ann", "ann", "bob")]
    stranger = world.client()
    for _ in range(3):
        announce(world)
    await world.settle()
    assert [told(client) for client in clients] == [["m1"]] * 3
    assert told(stranger) == []
    assert world.node.counters.direct_deliveries == 3
    announce(world, "m2", Priority.BULK)
    await world.settle()
    assert told(clients[2]) == ["m1", "m2"]


class Steps(trio.abc.Instrument):
    """Counts how often a task had its turn."""

    taken = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1


async def test_others_have_their_turn_between_parts_of_a_crowd(
    world: World, autojump_clock: MockClock
) -> None:
    crowd = [await connected(world, f"u{number}") for number in range(AT_ONCE + 1)]
    steps, sent_in = Steps(), []
    trio.lowlevel.add_instrument(steps)
    for client in (crowd[0], crowd[AT_ONCE - 1], crowd[AT_ONCE]):
        send = client.connection.send
        client.connection.send = lambda *told, send=send: (sent_in.append(steps.taken), send(*told))  # type: ignore[method-assign, misc]
    announce(world)
    await world.settle()
    trio.lowlevel.remove_instrument(steps)
    first, last_of_part, next_part = sent_in
    assert first == last_of_part < next_part
    assert [told(client) for client in crowd] == [["m1"]] * len(crowd)


async def test_more_than_may_wait_are_dropped_and_counted(
    world: World, autojump_clock: MockClock
) -> None:
    ann = await connected(world, "ann")
    for number in range(MAX_WAITING + 10):
        announce(world, f"m{number}")
    await world.settle()
    dropped = world.node.counters.drops["too_many_announcements", Priority.NORMAL]
    assert (len(told(ann)) + dropped, dropped > 0) == (MAX_WAITING + 10, True)


async def test_a_kick_closes_all_connections_of_a_user_and_nobody_elses(
    world: World, autojump_clock: MockClock
) -> None:
    ann, phone, bob = [await connected(world, uid) for uid in ("ann", "ann", "bob")]
    kick(world, "ann", reason="for a reason")
    assert [each.connection.closed_with for each in (ann, phone, bob)] == [4012, 4012, None]
    assert ann.connection.close_reason == "for a reason"
    await world.settle()
    back = await connected(world, "ann")
    kick(world, "ann")
    assert back.connection.closed_with is None
    kick(world, "ann", "k2")
    assert back.connection.close_reason == "sent out by the platform"


async def test_one_device_alone_may_be_sent_out(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world()
    ann = await connected(world, "ann")
    phone = await connected(world, "ann", im={"device": "phone"})
    kick(world, "ann", device="phone")
    assert (ann.connection.closed_with, phone.connection.closed_with) == (None, 4012)


@pytest.mark.parametrize("kind", [Kind.EVERYBODY, Kind.KICK])
async def test_an_envelope_that_can_not_be_read_is_counted(
    world: World, ann: Client, autojump_clock: MockClock, kind: Kind
) -> None:
    raw = encode(kind, Priority.URGENT, b"", b"\xc1")
    world.node.receive("relay-1", one_envelope(raw))
    await world.settle()
    assert world.node.counters.bad_envelopes == 1
    assert ann.pushes("direct") == []


async def test_a_kick_finds_who_is_moving_here_just_now(
    world: World, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    go_on = trio.Event()

    async def use(*_: object) -> bool:
        await go_on.wait()
        return True

    monkeypatch.setattr(world.store, "use", use)
    moved = Resume("ann", "", "", "j1", NOW_MS // 1000 + 30)
    resume = mint_resume(moved, Keyring([hs256(SECRET)]))
    client, other = world.client(), world.client()
    client.send("hello", token=token("ann"), resume=resume)
    other_moved = msgspec.structs.replace(moved, sub="bob")
    hello = other.send(
        "hello", token=token("bob"), resume=mint_resume(other_moved, Keyring([hs256(SECRET)]))
    )
    await world.settle()
    kick(world, "ann")
    go_on.set()
    assert "ok" in await other.reply(hello)
    assert client.connection.closed_with == CloseCode.KICKED
    assert world.node.users.here(["ann", "bob"]) == ["bob"]
    kick(world, "ann", "k2")
    assert world.node.users.all_of("ann") == []
