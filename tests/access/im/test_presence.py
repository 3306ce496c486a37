import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from access.im.smoothing import Smoothing
from proto.errors import ErrorCode, RequestError
from proto.im_services import DevicePresence, UserPresence
from proto.services import Method
from tests.access.cluster import World


def presence(state: str, *online: str, seen_ms: int = 0, uid: str = "bob") -> UserPresence:
    devices = [DevicePresence(name, name in online, seen_ms) for name in ("phone", "tablet")]
    return UserPresence(uid, state, devices)


def states(client: object) -> list[str]:
    return [push["state"] for push in client.pushes("presence")]  # type: ignore[attr-defined]


async def test_who_watches_is_told_now_and_of_each_change(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.im.presence["bob"] = presence("online", "phone", seen_ms=5)
    ann = world.client()
    await ann.hello("ann")
    assert (await ann.ask("watch", uids=["bob"]))["ok"] == {"refused": []}
    await world.settle(3)
    (push,) = ann.pushes("presence")
    assert push == {
        "push": "presence",
        "uid": "bob",
        "state": "online",
        "devices": [
            {"device": "phone", "online": True, "seen_ms": 5},
            {"device": "tablet", "online": False, "seen_ms": 5},
        ],
    }
    world.mesh.im.presence["bob"] = presence("offline", seen_ms=9)
    await world.settle(0.9)
    assert states(ann) == ["online"]
    await world.settle(1.2)
    assert states(ann) == ["online", "offline"]
    world.mesh.im.presence["bob"] = presence("unknown")
    await world.settle(0.6)
    assert states(ann) == ["online", "offline", "unknown"]


async def test_many_who_watch_are_one_question_and_the_set_is_replaced(
    world: World, autojump_clock: MockClock
) -> None:
    watchers = [world.client() for _ in range(5)]
    for index, watcher in enumerate(watchers):
        await watcher.hello(f"w{index}")
        await watcher.ask("watch", uids=["bob", "eve"])
    await world.settle(0.6)
    assert {(p["uid"], p["state"]) for p in watchers[0].pushes()} == {
        ("bob", "offline"),
        ("eve", "offline"),
    }
    assert world.node.messaging.status()["watched"] == 2
    for watcher in watchers:
        await watcher.ask("watch", uids=["eve"])
    assert world.node.messaging.status()["watched"] == 1
    for watcher in watchers:
        world.edge.hang_up(watcher.connection)
    assert world.node.messaging.status()["watched"] == 0
    world.mesh.asked.clear()
    await world.settle(2)
    assert world.mesh.asked_for(Method.PRESENCE) == []


async def test_too_many_watched_are_refused(world: World, autojump_clock: MockClock) -> None:
    ann = world.client()
    await ann.hello("ann")
    reply = await ann.ask("watch", uids=[f"u{index}" for index in range(201)])
    assert (reply["error"]["code"], reply["error"]["field"]) == ("bad_frame", "uids")


async def test_while_nothing_can_be_asked_what_was_told_stands(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.im.presence["bob"] = presence("online", "phone")
    ann = world.client()
    await ann.hello("ann")
    await ann.ask("watch", uids=["bob"])
    await world.settle(1)
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE)
    await world.settle(10)
    assert states(ann) == ["online"]


async def test_of_strangers_nothing_is_told(world: World, autojump_clock: MockClock) -> None:
    world.mesh.im.presence["eve"] = presence("online", "phone", uid="eve")
    world.mesh.im.strangers = {("ann", "eve")}
    ann, cid = world.client(), world.client()
    for client, uid in ((ann, "ann"), (cid, "cid")):
        await client.hello(uid)
    assert (await cid.ask("watch", uids=["eve"]))["ok"] == {"refused": []}
    reply = await ann.ask("watch", uids=["eve", "bob", "ann", "eve"])
    assert reply["ok"] == {"refused": ["eve"]}
    await world.settle(1)
    assert {push["uid"] for push in ann.pushes()} == {"bob", "ann"}
    assert len(cid.pushes("presence")) == 1
    assert world.node.messaging.counters.watches_refused == 1


async def test_a_watch_ends_within_a_minute_of_the_friendship(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.im.presence["bob"] = presence("online", "phone")
    watchers = [world.client() for _ in range(45)]
    for index, watcher in enumerate(watchers):
        await watcher.hello(f"w{index}")
        await watcher.ask("watch", uids=["bob", "eve"])
    await world.settle(30)
    world.mesh.im.strangers = {(f"w{index}", "bob") for index in range(44)}
    world.mesh.asked.clear()
    await world.settle(30)
    for watcher in watchers[:44]:
        (_, last) = [push for push in watcher.pushes() if push["uid"] == "bob"]
        assert (last["state"], last["devices"]) == ("unknown", [])
    assert len(world.mesh.asked_for(Method.WATCHABLE)) == 3
    world.mesh.im.presence["bob"] = presence("online", "tablet")
    world.mesh.im.presence["eve"] = presence("online", "tablet", uid="eve")
    counts = [len(watcher.pushes()) for watcher in watchers]
    await world.settle(2)
    more = [len(w.pushes()) - count for w, count in zip(watchers, counts, strict=True)]
    assert more == [1] * 44 + [2]


async def test_who_may_not_be_asked_for_now_stays_watched_and_is_asked_for_again(
    world: World, autojump_clock: MockClock
) -> None:
    ann = world.client()
    await ann.hello("ann")
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE)
    reply = await ann.ask("watch", uids=["bob"])
    assert reply["error"]["code"] == "unavailable"
    world.mesh.down = None
    await ann.ask("watch", uids=["bob"])
    world.mesh.im.strangers = {("ann", "bob")}
    await world.settle(40)
    world.mesh.down = RequestError(ErrorCode.UNAVAILABLE)
    await world.settle(20)
    assert states(ann) == ["offline"]
    world.mesh.down = None
    await world.settle(2)
    assert states(ann) == ["offline", "unknown"]
    assert world.node.messaging.status()["watched"] == 0


async def test_of_two_at_once_the_later_counts(world: World, autojump_clock: MockClock) -> None:
    ann = world.client()
    await ann.hello("ann")
    held = trio.Event()

    async def hold_the_first(method: Method) -> None:
        if method is Method.WATCHABLE and len(world.mesh.asked_for(method)) == 1:
            await held.wait()

    world.mesh.before_answer = hold_the_first
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: ann.ask("watch", uids=["bob"]))
        await world.settle(0.1)
        await ann.ask("watch", uids=["eve"])
        held.set()
    await world.settle(1)
    assert {push["uid"] for push in ann.pushes()} == {"eve"}


async def test_who_has_left_before_the_answer_watches_nobody(
    world: World, autojump_clock: MockClock
) -> None:
    ann = world.client()
    await ann.hello("ann")

    async def leave(method: Method) -> None:
        if method is Method.WATCHABLE:
            world.edge.hang_up(ann.connection)

    world.mesh.before_answer = leave
    ann.raw(b'{"op":"watch","id":9,"uids":["bob"]}')
    await world.settle(1)
    assert world.node.messaging.status()["watched"] == 0


FOUND = st.tuples(
    st.sampled_from(["online", "offline", "unknown"]),
    st.sets(st.sampled_from(["phone", "tablet"])),
).map(lambda pair: presence(pair[0], *(pair[1] if pair[0] == "online" else ())))


@given(st.lists(FOUND, min_size=1, max_size=60))
def test_nobody_is_told_gone_before_its_time_and_what_lasts_is_told(
    found: list[UserPresence],
) -> None:
    smoothing = Smoothing(1.0)
    for index, each in enumerate(found):
        before = smoothing.told
        assert smoothing.take(each, index * 0.25) == (smoothing.told is not before)
        if before is not None and before.state == "online" and smoothing.told is each:
            last_second = found[max(index - 4, 0) : index + 1]
            assert each.state != "offline" or not any(is_all_of(before, f) for f in last_second)
    for index in range(len(found), len(found) + 6):
        smoothing.take(found[-1], index * 0.25)
    assert smoothing.told is not None
    assert smoothing.told.state == found[-1].state


def is_all_of(told: UserPresence, found: UserPresence) -> bool:
    """Say whether all devices that were told online are."""
    both = zip(told.devices, found.devices, strict=True)
    return found.state == "online" and all(f.online or not t.online for t, f in both)
