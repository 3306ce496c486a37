from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from access.im.smoothing import Smoothing
from proto.errors import ErrorCode, RequestError
from proto.services import DevicePresence, Method, UserPresence
from tests.access.cluster import World


def presence(state: str, *online: str, seen_ms: int = 0) -> UserPresence:
    devices = [DevicePresence(name, name in online, seen_ms) for name in ("phone", "tablet")]
    return UserPresence("bob", state, devices)


def states(client: object) -> list[str]:
    return [push["state"] for push in client.pushes("presence")]  # type: ignore[attr-defined]


async def test_who_watches_is_told_now_and_of_each_change(
    world: World, autojump_clock: MockClock
) -> None:
    world.mesh.im.presence["bob"] = presence("online", "phone", seen_ms=5)
    ann = world.client()
    await ann.hello("ann")
    assert "ok" in await ann.ask("watch", uids=["bob"])
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


FOUND = st.tuples(
    st.sampled_from(["online", "offline", "unknown"]),
    st.sets(st.sampled_from(["phone", "tablet"])),
).map(lambda pair: presence(pair[0], *(pair[1] if pair[0] == "online" else ())))


@given(st.lists(FOUND, min_size=1, max_size=60))
@settings(deadline=None)
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
