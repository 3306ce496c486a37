"""Those who talk, on the Python client: a host, people with gifts, chatters, people who like."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from bench.chaos.room import Witness
from bench.cluster import Cluster
from relaymesh_client import Client, EventQueue, Published, RelaymeshError, connect, gateway

BIG_GIFT = 5000
"""Over the value from which a gift is urgent."""


@dataclass(frozen=True)
class Talker:
    """One of the cast, connected."""

    cluster: Cluster
    uid: str
    client: Client


Say = Callable[[Talker, str, str], Awaitable[Published]]


async def _speech(talker: Talker, room: str, mid: str) -> Published:
    return await talker.client.speech(room, f"speech {mid}", mid=mid)


async def _gift(talker: Talker, room: str, mid: str) -> Published:
    receipt = talker.cluster.receipt(talker.uid, room, "rocket", BIG_GIFT)
    return await talker.client.gift(room, "rocket", BIG_GIFT, receipt=receipt, mid=mid)


async def _chat(talker: Talker, room: str, mid: str) -> Published:
    return await talker.client.chat(room, f"chat {mid}", mid=mid)


CAST: tuple[tuple[str, Say, float], ...] = (
    ("host", _speech, 0.5),
    ("giver-1", _gift, 0.4),
    ("giver-2", _gift, 0.4),
    ("talker-1", _chat, 0.7),
    ("talker-2", _chat, 0.7),
    ("talker-3", _chat, 0.7),
)
"""Who says what, how often a second."""

LIKES_PER_S = 4
LIKES_AT_ONCE = 25


@dataclass
class Talk:
    """What was said, and what the talkers themselves saw."""

    room: str
    sent: int = 0
    acked: set[str] = field(default_factory=set)
    heads: dict[str, int] = field(default_factory=dict)
    """The highest acknowledged number of each stream."""
    likes: int = 0
    witnesses: list[Witness] = field(default_factory=list)
    all_joined: trio.Event = field(default_factory=trio.Event)
    """Nobody speaks before: who joins later has not lost it."""
    over: trio.Event = field(default_factory=trio.Event)

    def lost(self) -> int:
        """Return how many acknowledged messages some talker has not seen, over all of them."""
        return sum(len(self.acked - set(witness.mids())) for witness in self.witnesses)

    def doubled(self) -> int:
        """Return how many a talker saw twice, or after a later one, over all of them."""
        again = sum(w.mids().total() - len(w.mids()) for w in self.witnesses)
        return again + sum(witness.disordered() for witness in self.witnesses)


async def talk(cluster: Cluster, story: Talk, task_status: trio.TaskStatus[None]) -> None:
    """Have everybody of the cast talk until `story.over`; started when all have joined."""
    async with trio.open_nursery() as nursery:
        joined = [trio.Event() for _ in range(len(CAST) + 1)]
        for event, (uid, say, per_s) in zip(joined, CAST, strict=False):
            nursery.start_soon(_play, cluster, story, uid, say, per_s, event)
        nursery.start_soon(_like, cluster, story, joined[-1])
        for event in joined:
            await event.wait()
        story.all_joined.set()
        task_status.started()


async def _play(
    cluster: Cluster, story: Talk, uid: str, say: Say, per_s: float, joined: trio.Event
) -> None:
    witness = Witness()
    story.witnesses.append(witness)
    token = cluster.token(uid, host=[story.room] if uid == "host" else [])
    async with (
        connect(gateway(cluster.gateway), token) as client,
        trio.open_nursery() as nursery,
    ):
        talker = Talker(cluster, uid, client)
        nursery.start_soon(_listen, client.events(), witness)
        await client.join(story.room)
        joined.set()
        await story.all_joined.wait()
        for number in itertools.takewhile(lambda _: not story.over.is_set(), itertools.count()):
            nursery.start_soon(_send, talker, story, say, f"{uid}-{number}")
            await trio.sleep(1 / per_s)
        await trio.sleep_forever()


async def _listen(events: EventQueue, witness: Witness) -> None:
    async for event in events:
        witness.take(event, trio.current_time())


async def _send(talker: Talker, story: Talk, say: Say, mid: str) -> None:
    story.sent += 1
    try:
        published = await say(talker, story.room, mid)
    except RelaymeshError:
        return  # not acknowledged: nothing is owed
    story.acked.add(mid)
    head = story.heads.get(published.priority, 0)
    story.heads[published.priority] = max(head, published.seq)


async def _like(cluster: Cluster, story: Talk, joined: trio.Event) -> None:
    async with connect(gateway(cluster.gateway), cluster.token("fan")) as client:
        await client.join(story.room)
        joined.set()
        while not story.over.is_set():
            client.like(story.room, LIKES_AT_ONCE)
            story.likes += LIKES_AT_ONCE
            await trio.sleep(1 / LIKES_PER_S)
        await trio.sleep_forever()
