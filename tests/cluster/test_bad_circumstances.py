"""Instant messages while something is wrong for long: a client that never acknowledges, countless
devices, a database that can't write. Queues and rows are bounded; what is acknowledged is kept."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Connection, RefusedError, connected
from tests.cluster.independent_messenger import direct, say
from tests.cluster.messengers import device, friends, group_of, unharmed_chat

pytestmark = pytest.mark.cluster_long

AWAY = {"unavailable", "timeout"}
"""What is said where the database can't write: it fails, or it does not even answer."""
LARGE = {"text": "x" * 4000, "data": {"x": "y" * 8000}}
"""Nearly as much as a message may have."""


@pytest.fixture(autouse=True)
async def chat(hasty: Cluster, room: str) -> AsyncIterator[None]:
    async with unharmed_chat(hasty, room):
        yield


async def test_who_never_acknowledges_is_sent_away_and_gets_it_again(
    hasty: Cluster, room: str
) -> None:
    async with friends(hasty, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        silent = device(hasty, room, "bob", "silent")
        silent.acknowledges = False
        async with silent.online(hasty.access[0]) as there:
            for n in range(3):
                await say(ann_there, conv, str(n))
            assert await there.ended() == 4006
        assert silent.seqs(conv) == [1, 2, 3]
        assert silent.duplicates >= 3
        again = device(hasty, room, "bob", "silent")
        async with again.online(hasty.access[1]):
            assert again.welcome["standing"] == "level"
            await again.until_taken(conv, 3)
        assert again.seqs(conv) == [1, 2, 3]


async def test_it_gets_no_more_than_fits_on_the_way(hasty: Cluster, room: str) -> None:
    async with friends(hasty, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        silent = device(hasty, room, "bob", "silent")
        silent.acknowledges = False
        async with silent.online(hasty.access[0]) as there:
            for n in range(80):
                await say(ann_there, conv, str(n))
            assert await there.ended() == 4006
        there_are = len(silent.seqs(conv))
        assert silent.seqs(conv) == [*range(1, there_are + 1)]
        assert 32 <= there_are <= 64


async def test_countless_devices_of_one_user(hasty: Cluster, room: str, disk: Path) -> None:
    uid, token = f"mallory-{room}", hasty.token(f"mallory-{room}")
    limit, answers = trio.CapacityLimiter(15), []

    async def come(number: int) -> None:
        async with limit, connected(hasty.access[number % 2]) as connection:
            spec = {"device": f"device-{number}"}
            ok = await connection.request("hello", token=token, im=spec)
            answers.append(ok["im"].get("error", {}).get("code", "ok"))

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(come, number)
    assert set(answers) <= {"ok", "too_many_devices"}
    with closing(sqlite3.connect(f"file:{disk}/relaymesh.db?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT count(*) FROM devices WHERE uid = ?", [uid]).fetchone()[0]
    assert 0 < rows <= 20


async def test_a_database_that_is_away_for_some_seconds(
    hasty: Cluster, room: str, disk: Path
) -> None:
    async with friends(hasty, room) as (ann, bob, ann_there, bob_there):
        conv = direct(ann.uid, bob.uid)
        first = await say(ann_there, conv, "before")
        with locked(disk):
            async with trio.open_nursery() as nursery:
                for op, fields in {
                    "send": {"conv": conv, "text": "x", "mid": "kept-once"},
                    "read": {"conv": conv, "seq": 1},
                    "group_create": {"mid": "g", "name": "g", "members": []},
                }.items():
                    nursery.start_soon(is_away, ann_there, op, fields)
                nursery.start_soon(works_without_messages, hasty, room)
            assert [f["id"] for f in await history(bob_there, conv)] == [first["id"]]
        kept = await say(ann_there, conv, "x", "kept-once")
        assert await say(ann_there, conv, "x", "kept-once") == kept
        last = await say(ann_there, conv, "after")
        await bob.until_taken(conv, last["seq"])
        assert bob.texts(conv) == ["before", "x", "after"]


async def test_a_disk_that_is_full(hasty: Cluster, room: str, disk: Path) -> None:
    """What is left in the file is used up; then nothing is acknowledged until there is room."""
    if not disk.is_mount():
        pytest.skip("only root may mount a small disk")
    async with friends(hasty, room) as (ann, bob, ann_there, bob_there):
        conv = direct(ann.uid, bob.uid)
        acknowledged = [(await say(ann_there, conv, str(n)))["mid"] for n in range(3)]
        with filled(disk):
            while (code := await sent(ann_there, conv, f"full-{len(acknowledged)}")) == "ok":
                acknowledged.append(f"full-{len(acknowledged)}")
            assert code in AWAY
            assert len(await history(bob_there, conv)) == min(len(acknowledged), 50)
        refused_once = f"full-{len(acknowledged)}"
        kept = await say(ann_there, conv, "there is room", refused_once)
        await bob.until_taken(conv, kept["seq"])
        assert [frame["mid"] for frame in bob.taken[conv]] == [*acknowledged, refused_once]


async def test_what_was_said_for_long_is_not_taken_back(hasty: Cluster, room: str) -> None:
    async with friends(hasty, room) as (_, bob, ann_there, bob_there):
        conv = await group_of(ann_there, room, bob.uid)
        said = await say(bob_there, conv, "for ever")
        await trio.sleep(1.2)
        assert (await refused(bob_there, "recall", conv=conv, seq=said["seq"])).code == "too_late"
        told = await ann_there.request("recall", conv=conv, seq=said["seq"])
        assert told["target"] == said["seq"]  # the owner may


async def is_away(connection: Connection, op: str, fields: dict[str, object]) -> None:
    assert (await refused(connection, op, **fields)).code in AWAY


async def works_without_messages(cluster: Cluster, room: str) -> None:
    async with connected(cluster.access[1]) as newcomer:
        hello = {"token": cluster.token("newcomer"), "im": {"device": "d"}}
        ok = await newcomer.request("hello", **hello)
        assert ok["im"]["error"]["code"] in AWAY
        await newcomer.request("join", room=room)


async def refused(connection: Connection, op: str, **fields: object) -> RefusedError:
    """Return the error of a request."""
    with pytest.raises(RefusedError) as found:
        await connection.request(op, **fields)
    return found.value


async def sent(connection: Connection, conv: str, mid: str) -> str:
    """Send something large, as often as the limit of frames wants; returns how it went."""
    while True:
        try:
            await connection.request("send", conv=conv, mid=mid, **LARGE)
        except RefusedError as error:
            if error.code != "rate_limited":
                return error.code
            await trio.sleep(error.retry_after_ms / 1000)
        else:
            return "ok"


async def history(connection: Connection, conv: str) -> list[dict[str, object]]:
    frames: list[dict[str, object]] = (await connection.request("history", conv=conv))["frames"]
    return frames


@contextmanager
def locked(disk: Path) -> Iterator[None]:
    """Hold the database's write lock, as a backup that hangs does."""
    with closing(sqlite3.connect(f"{disk}/relaymesh.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room on the disk."""
    ballast = disk / "ballast"
    try:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
    finally:
        ballast.unlink()
