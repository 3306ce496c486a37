"""People in several regions, and what each of them has heard."""

import math
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

import trio

from bench.regions.world import World
from relaymesh_client import (
    Client,
    Connected,
    Direct,
    Event,
    Joined,
    Lost,
    Message,
    Push,
    Refused,
    Reset,
    Skipped,
    connect,
    gateway,
)

PATIENCE_S = 30.0
E = TypeVar("E")


class Person:
    """One user on one device: `events` is all that the client has told."""

    def __init__(self, uid: str, region: str, client: Client) -> None:
        self.uid = uid
        self.region = region
        self.client = client
        self.events: list[Event] = []
        self._heard = trio.Event()

    async def listen(self) -> None:
        """Take what comes, for ever."""
        async for event in self.client.events():
            self.events.append(event)
            self._heard.set()
            self._heard = trio.Event()

    async def until(self, what: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Wait until `what` holds; says what was heard instead."""
        with trio.move_on_after(within_s):
            while not what():
                await self._heard.wait()
        assert what(), f"{self.uid} in {self.region} heard only {list(map(brief, self.events))}"

    def of(self, kind: type[E], room: str = "") -> list[E]:
        """Return the events of one type, of one room."""
        fitting = [event for event in self.events if isinstance(event, kind)]
        return [event for event in fitting if getattr(event, "room", room) == room or not room]

    def chats(self, room: str) -> list[str]:
        """Return what was said in `room`, in the order in which it came."""
        return [push.frame["text"] for push in self.of(Push, room) if push.kind == "chat"]

    def directs(self) -> list[object]:
        """Return what back ends have told."""
        return [direct.data for direct in self.of(Direct)]

    def said(self, conv: str) -> list[str]:
        """Return the texts of a conversation."""
        found = [each for each in self.of(Message) if each.conv == conv and each.kind == "message"]
        return [str(each.body.get("text")) for each in found]

    async def heard(self, room: str, count: int) -> None:
        """Wait for `count` chat messages of `room`."""
        with trio.move_on_after(PATIENCE_S):
            await self.until(lambda: len(self.chats(room)) >= count, math.inf)
        got = len(self.chats(room))
        assert got >= count, f"{self.uid} in {self.region} heard {got} of {count} in {room}"

    def require_whole(self, room: str, texts: Iterable[str]) -> None:
        """Require `texts` to have come, each once, numbered without a hole and in order."""
        assert sorted(self.chats(room)) == sorted(texts)
        seqs = [each.seq for each in self.of(Push, room) if each.priority == "normal"]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        told = [*self.of(Lost, room), *self.of(Skipped, room), *self.of(Reset, room)]
        assert not [each for each in told if each.priority != "bulk"]

    @property
    def reconnects(self) -> int:
        """How often the client has come back."""
        return len(self.of(Connected))

    def joins(self, room: str) -> int:
        """How often `room` was joined."""
        return len(self.of(Joined, room))


def brief(event: Event) -> str:
    """Say in a word or two what an event was."""
    words = [type(event).__name__]
    for name in ("room", "kind", "priority", "seq", "conv", "state"):
        words += [str(getattr(event, name))] if hasattr(event, name) else []
    return " ".join(words)


@asynccontextmanager
async def present(
    world: World, region: str, uid: str, *rooms: str, device: str = "", host: str = ""
) -> AsyncIterator[Person]:
    """Have somebody in a region, in `rooms`; with a `device` also for instant messages."""
    token = world.token(uid, host=[host] if host else [])
    problem: Exception | None = None
    async with (
        connect(gateway(world.gateway(region)), token, device=device) as client,
        trio.open_nursery() as nursery,
    ):
        person = Person(uid, region, client)
        nursery.start_soon(person.listen)
        try:
            for room in rooms:
                await client.join(room)
            yield person
        except Exception as error:
            # Raised outside of the nursery: what failed should not be buried in groups.
            problem = error
        nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem


@asynccontextmanager
async def one_in_each(world: World, *rooms: str) -> AsyncIterator[dict[str, Person]]:
    """Have one person in each region, all in `rooms`."""
    async with AsyncExitStack() as stack:
        names = world.description.names
        everybody = [present(world, name, f"by-{name}-{rooms[0]}", *rooms) for name in names]
        people = [await stack.enter_async_context(person) for person in everybody]
        yield {person.region: person for person in people}


async def say(person: Person, room: str, texts: Iterable[str], pause_s: float = 0.0) -> None:
    """Say one thing after the other, each until it is answered."""
    for text in texts:
        await person.client.chat(room, text)
        await trio.sleep(pause_s)


async def refusal(world: World, region: str, path: str, body: object) -> str:
    """Return the code with which the gateway of `region` refuses a back end; "" where it does
    not."""
    try:
        await world.ask(region, path, body)
    except Refused as refused:
        return refused.code
    return ""


async def until_refused(world: World, region: str, path: str, code: str) -> None:
    """Wait until `region` refuses with `code` to publish at `path`."""
    found = ""
    with trio.move_on_after(PATIENCE_S):
        while (found := await refusal(world, region, path, {"data": "probe"})) != code:
            await trio.sleep(0.1)
    assert found == code


async def until_accepted(world: World, region: str, path: str) -> None:
    """Wait until `region` takes again what is published at `path`."""
    await until_refused(world, region, path, "")


@asynccontextmanager
async def crowd_in(world: World, region: str, room: str, count: int) -> AsyncIterator[list[Person]]:
    """Have many people of one region in `room`."""
    async with AsyncExitStack() as stack:
        them = [present(world, region, f"crowd-{room}-{n}", room) for n in range(count)]
        yield [await stack.enter_async_context(person) for person in them]


class Talk:
    """Says something in a room again and again until it is `over`."""

    def __init__(self, person: Person, room: str, words: str = "") -> None:
        self.person = person
        self.words = words
        self.room = room
        self.over = False
        self.said: list[str] = []

    async def run(self) -> None:
        """Talk."""
        while not self.over:
            self.said.append(f"{self.words}{len(self.said)}")
            await self.person.client.chat(self.room, self.said[-1])
            await trio.sleep(0.05)
