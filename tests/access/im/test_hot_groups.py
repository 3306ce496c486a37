import random
from typing import Any

import trio
from trio.testing import MockClock

from access.settings import ImSettings
from proto.services import Method
from tests.access.cluster import MakeWorld, World
from tests.access.im.logic import Group
from tests.access.im.phone import Phone

GROUP = "g:big"
KEY = "hot:g:big"


def group(world: World, *members: str) -> None:
    world.mesh.im.groups[GROUP] = Group(list(members))


def say(world: World, kind: str = "message", *, lost: bool = False, **body: Any) -> int:
    """Say something in the group; it comes by its way, if it is not lost."""
    logic = world.mesh.im
    seq, frame, hot = logic.say(GROUP, kind, **body)
    if lost:
        return seq
    if hot:
        world.mesh.hot(GROUP, seq, frame)
    else:
        members = logic.groups[GROUP].members
        world.mesh.numbered({uid: len(logic.mailboxes[uid]) for uid in members}, frame)
    return seq


async def test_a_hot_group_is_wanted_while_a_device_takes_it(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "ann", "bob")
    world.mesh.im.groups[GROUP].hot = True
    ann, bob = Phone(world), Phone(world, "bob")
    assert (await ann.hello())["hot"] == {GROUP: {"head": 0, "start": 0}}
    await bob.hello()
    assert world.mesh.wanted == {KEY}
    say(world)
    await ann.live(0.1)
    await bob.live(0.1)
    assert ann.got == bob.got == {KEY: [1]}
    world.edge.hang_up(ann.client.connection)
    assert world.mesh.wanted == {KEY}
    world.edge.hang_up(bob.client.connection)
    assert world.mesh.wanted == set()


async def test_a_push_of_a_hot_group_has_the_messages_number(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "ann")
    phone = Phone(world)
    await phone.hello()
    say(world, "hot")
    await world.settle(0.1)
    say(world)
    await world.settle(0.1)
    pushes = phone.client.pushes("message")
    assert [(p["stream"], p["n"], p["seq"]) for p in pushes] == [("mailbox", 1, 1), (KEY, 2, 2)]


async def test_a_group_goes_hot_and_cool_and_hot_and_each_message_comes_once_in_order(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "ann", "bob")
    phone = Phone(world)
    await phone.hello()
    kinds = ["message", "hot", "message", "message", "cool", "message"] * 3
    for kind in kinds:
        say(world, kind)
        await phone.live(0.2)
    assert phone.said == [(GROUP, seq) for seq in range(1, len(kinds) + 1)]
    assert world.mesh.wanted == set()
    assert len(phone.got[KEY]) == 9


async def test_what_comes_at_once_after_a_fence_waits_for_the_other_stream(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "ann")
    phone = Phone(world)
    await phone.hello()
    for _ in range(3):
        for kind in ("message", "hot", "message", "message", "cool", "message", "message"):
            say(world, kind)
    await phone.live(3)
    assert phone.said == [(GROUP, seq) for seq in range(1, 22)]


async def test_lost_fences_and_messages_are_found_in_order(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    kinds = ["message", "hot", "message", "cool"]
    for seed in range(3):
        world = make_world(im=ImSettings(in_flight=8))
        group(world, "ann")
        phone = Phone(world)
        await phone.hello()
        chance = random.Random(seed)
        hot = False
        for index in range(60):
            kind = kinds[index % 4] if chance.random() < 0.5 else "message"
            if (kind == "hot") == hot or ((kind == "cool") != hot and kind != "message"):
                kind = "message"
            hot = {"hot": True, "cool": False}.get(kind, hot)
            say(world, kind, lost=chance.random() < 0.4)
            if chance.random() < 0.3:
                await phone.live(0.1)
        await phone.live(15)
        assert phone.said == [(GROUP, seq) for seq in range(1, 61)], seed


async def test_a_device_resumes_hot_streams_over_connections(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    for seed in range(3):
        world = make_world()
        group(world, "ann")
        phone = Phone(world)
        await phone.hello()
        chance = random.Random(seed)
        for index in range(80):
            hot = world.mesh.im.groups[GROUP].hot
            kind = "message"
            if chance.random() < 0.2:
                kind = "cool" if hot else "hot"
            say(world, kind, lost=chance.random() < 0.2)
            if chance.random() < 0.3:
                await phone.live(0.1)
            if index % 20 == 19:
                await phone.live(4)
                world.edge.hang_up(phone.client.connection)
                for _ in range(10):
                    say(world)
                await phone.again()
        await phone.live(15)
        total = len(world.mesh.im.groups[GROUP].frames)
        assert phone.said == [(GROUP, seq) for seq in range(1, total + 1)], seed


async def test_a_group_that_cooled_while_a_device_was_away_is_brought_to_its_end(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "ann")
    phone = Phone(world)
    await phone.hello()
    say(world, "hot")
    await phone.live(0.3)
    say(world)
    await phone.live(0.3)
    world.edge.hang_up(phone.client.connection)
    for kind in ("message", "cool", "message"):
        say(world, kind)
    await phone.again()
    say(world)
    await phone.live(5)
    assert phone.said == [(GROUP, seq) for seq in range(1, 7)]
    assert world.mesh.wanted == set()


async def test_hot_messages_that_come_while_a_device_is_behind_in_its_mailbox_wait(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(im=ImSettings(in_flight=4))
    group(world, "ann")
    phone = Phone(world)
    await phone.hello()
    say(world)
    await phone.live(0.2)
    world.edge.hang_up(phone.client.connection)
    for _ in range(30):
        say(world)
    say(world, "hot")
    # The device knows nothing of the hot stream: logic begins it at the `hot` message.
    phone.positions[KEY] = 32
    say(world)
    await phone.again()
    for _ in range(10):
        say(world)
    await phone.live(10)
    assert phone.said == [(GROUP, seq) for seq in range(1, 44)]


async def test_who_joins_a_hot_group_hears_it_and_who_leaves_does_not(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "bob")
    world.mesh.im.groups[GROUP].hot = True
    phone = Phone(world)
    await phone.hello()
    say(world)
    assert world.mesh.wanted == set()
    members = world.mesh.im.groups[GROUP].members

    members.append("ann")
    joined = say(world, "group_joined")
    frame = world.mesh.im.system(
        "ann", "group_joined", {"conv": GROUP, "joined": joined, "hot": True}
    )
    world.mesh.numbered({"ann": 1}, frame)
    await phone.live(0.5)
    say(world)
    await phone.live(0.5)
    assert phone.got[KEY] == [joined, joined + 1]

    left = say(world, "group_left")
    members.remove("ann")
    frame = world.mesh.im.system("ann", "group_left", {"conv": GROUP, "left": left})
    world.mesh.numbered({"ann": 2}, frame)
    say(world)
    await phone.live(0.5)
    say(world)
    await phone.live(5)
    assert phone.got[KEY] == [joined, joined + 1, left]
    assert world.mesh.wanted == set()
    assert phone.client.connection.closed_with is None


async def test_what_is_said_right_after_a_leave_is_not_heard(
    world: World, autojump_clock: MockClock
) -> None:
    """The hot stream itself says who is gone: the mailbox says it later, or after an invitation."""
    group(world, "bob", "ann")
    world.mesh.im.groups[GROUP].hot = True
    ann, bob = Phone(world), Phone(world, "bob")
    for phone in (ann, bob):
        await phone.hello()
    other = say(world, "group_left", uids=["eve"])
    left = say(world, "group_left", uids=["eve", "ann"])
    say(world)
    for phone in (ann, bob):
        await phone.live(0.5)
    world.mesh.im.groups[GROUP].members.remove("ann")
    say(world)
    for phone in (ann, bob):
        await phone.live(3)
    assert ann.got[KEY] == [other, left]
    assert bob.got[KEY] == [1, 2, 3, 4]

    world.mesh.im.groups[GROUP].members.append("ann")
    joined = say(world, "group_joined", uids=["ann"])
    for kind, body in (
        ("group_left", {"conv": GROUP, "left": left}),
        ("group_joined", {"conv": GROUP, "joined": joined, "hot": True}),
    ):
        frame = world.mesh.im.system("ann", kind, body)
        world.mesh.numbered({"ann": len(world.mesh.im.mailboxes["ann"])}, frame)
    await ann.live(0.5)
    say(world)
    await ann.live(2)
    assert ann.got[KEY] == [1, 2, 5, 6]
    assert ann.client.connection.closed_with is None


async def test_who_leaves_and_comes_back_at_once_hears_each_message_once(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "bob", "ann")
    world.mesh.im.groups[GROUP].hot = True
    phone = Phone(world)
    await phone.hello()
    say(world)
    left = say(world, "group_left")
    say(world)
    joined = say(world, "group_joined")
    say(world)
    await phone.live(0.5)
    for kind, body in (
        ("group_left", {"conv": GROUP, "left": left}),
        ("group_joined", {"conv": GROUP, "joined": joined, "hot": True}),
    ):
        frame = world.mesh.im.system("ann", kind, body)
        world.mesh.numbered({"ann": len(world.mesh.im.mailboxes["ann"])}, frame)
    await phone.live(0.5)
    say(world)
    await phone.live(2)
    assert phone.got[KEY] == [1, 2, 3, 4, 5, 6]
    assert phone.client.connection.closed_with is None


async def test_a_hot_group_that_a_client_names_without_being_in_it_is_not_heard(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "bob")
    world.mesh.im.groups[GROUP].hot = True
    bob, eve = Phone(world, "bob"), Phone(world, "eve")
    await bob.hello()
    await eve.hello(epoch="d1", since=0, hot={GROUP: 0, "g:none": 3})
    for _ in range(3):
        say(world)
        await eve.live(0.5)
    await bob.live(0.1)
    assert (bob.got, eve.got) == ({KEY: [1, 2, 3]}, {})
    assert eve.client.connection.closed_with is None


async def test_who_names_a_group_without_being_in_it_gets_no_page_of_another(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(im=ImSettings(tails_s=60))
    group(world, "bob")
    world.mesh.im.groups[GROUP].hot = True
    bob, eve = Phone(world, "bob"), Phone(world, "eve")
    await bob.hello()
    go_on = trio.Event()

    async def hold(method: Method) -> None:
        if method is Method.SYNC:
            await go_on.wait()

    world.mesh.before_answer = hold
    say(world, lost=True)
    say(world)
    await world.settle(0.2)
    await eve.hello(epoch="d1", since=0, hot={GROUP: 0})
    await world.settle(0.2)
    go_on.set()
    await bob.live(1)
    await eve.live(1)
    assert (bob.got, eve.got) == ({KEY: [1, 2]}, {})


async def test_a_message_that_speaks_of_turns_in_its_body_turns_nothing(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    frame = world.mesh.im.direct("d:ann|bob", ["ann"], '"kind":"hot"')
    world.mesh.numbered({"ann": 1}, frame)
    await phone.live(0.1)
    assert world.mesh.wanted == set()


async def test_a_room_cannot_have_the_name_of_a_hot_stream(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    await client.hello("eve")
    reply = await client.ask("join", room=KEY)
    assert (reply["error"]["code"], reply["error"]["field"]) == ("bad_frame", "room")


async def test_many_devices_of_one_hot_group_ask_for_the_same_page_once(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(im=ImSettings(tails_s=60))
    uids = [f"u{index}" for index in range(300)]
    group(world, *uids)
    world.mesh.im.groups[GROUP].hot = True
    phones = [Phone(world, uid) for uid in uids]
    for phone in phones:
        await phone.hello()
    say(world, lost=True)
    say(world)
    await world.settle(0.2)
    for phone in phones:
        phone.take()
    assert all(phone.got[KEY] == [1, 2] for phone in phones)
    assert len(world.mesh.asked_for(Method.SYNC)) == 1


async def test_who_was_sent_out_while_away_gets_what_was_said_before_and_nothing_after(
    world: World, autojump_clock: MockClock
) -> None:
    group(world, "ann", "bob")
    here = world.mesh.im.groups[GROUP]
    here.hot = True
    phone, other = Phone(world), Phone(world, "bob")
    await phone.hello()
    await other.hello()
    first = say(world)
    await phone.live(0.3)
    world.edge.hang_up(phone.client.connection)
    missed = say(world)
    here.members.remove("ann")
    here.left["ann"] = missed
    await phone.again()
    say(world)
    await phone.live(3)
    assert phone.got[KEY] == [first, missed]
