"""People over plain sockets: they say hello with a device, ask, and acknowledge what they get."""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
import msgspec
import trio

from bench.cluster import Cluster
from bench.crowd import Crowd, Viewer

ACK_EVERY_S = 0.2
ASK_LIMIT_S = 20.0
REPEATED = ("overloaded", "unavailable", "timeout", "rate_limited")
OnMessage = Callable[[str, dict[str, Any], int], None]
"""Takes a uid, a message that it got, and the time in nanoseconds."""


def ignore(_uid: str, _message: dict[str, Any], _now_ns: int) -> None:
    """Take a message and do nothing: an `OnMessage`."""


OnAnswer = Callable[[int, dict[str, Any], int], None]
"""Takes a request's number, its answer, and the time in nanoseconds."""


class People:
    """Users of one cluster, a connection each."""

    def __init__(self, cluster: Cluster, uids: Sequence[str], on_message: OnMessage) -> None:
        self._cluster = cluster
        self._on_message = on_message
        self._crowd = Crowd(b'"stream":"mailbox"', self._received)
        self._numbers = itertools.count(1)
        self._asked: dict[int, dict[str, Any] | None] = {}
        self._heads: dict[str, int] = {}
        self._acked: dict[str, int] = {}
        self.uids = list(uids)
        self.on_answer: OnAnswer | None = None
        self._viewers: dict[str, Viewer] = {}
        self._uid_of: dict[Viewer, str] = {}

    def connect(self) -> None:
        """Open all connections. Blocks: call it in a thread."""
        hellos = (_hello(self._cluster.token(uid)) for uid in self.uids)
        viewers = self._crowd.connect(self._cluster.access, hellos, reading=True)
        self._viewers = dict(zip(self.uids, viewers, strict=True))
        self._uid_of = dict(zip(viewers, self.uids, strict=True))

    async def run(self) -> None:
        """Read and acknowledge until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._crowd.read)
            nursery.start_soon(self._acknowledge)

    def close(self) -> None:
        """Close all connections."""
        self._crowd.close()

    def say(self, who: str, /, **fields: Any) -> int:
        """Send a request of `who` and return its number; `on_answer` gets the answer."""
        number = next(self._numbers)
        self._viewers[who].send(msgspec.json.encode({"id": number, **fields}))
        return number

    async def ask(self, who: str, /, **fields: Any) -> dict[str, Any]:
        """Send a request of `who`, again where it may be, and return its `ok`; raises
        `ClickException` for any other error."""
        with trio.move_on_after(ASK_LIMIT_S):
            while True:
                answer = await self._ask(who, fields)
                if "ok" in answer:
                    return dict(answer["ok"])
                if answer["error"]["code"] not in REPEATED:
                    raise click.ClickException(f"{fields['op']} of {who}: {answer['error']}")
                await trio.sleep(answer["error"].get("retry_after_ms", 100) / 1000)
        raise click.ClickException(f"{fields['op']} of {who}: no answer in {ASK_LIMIT_S:g} s")

    async def _ask(self, who: str, fields: dict[str, Any]) -> dict[str, Any]:
        number = self.say(who, **fields)
        self._asked[number] = None
        while (answer := self._asked[number]) is None:
            await trio.sleep(0.002)
        del self._asked[number]
        return answer

    async def befriend(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Make friends of each pair, some pairs at a time."""
        limit = trio.CapacityLimiter(16)

        async def both(uid: str, other: str) -> None:
            async with limit:
                await self.ask(uid, op="friend_request", uid=other)
                await self.ask(other, op="friend_accept", uid=uid)

        async with trio.open_nursery() as nursery:
            for uid, other in pairs:
                nursery.start_soon(both, uid, other)

    def _received(self, viewer: Viewer, frames: list[dict[str, Any]]) -> None:
        now_ns, uid = time.monotonic_ns(), self._uid_of.get(viewer, "")
        for frame in frames:
            if "n" in frame:
                self._heads[uid] = max(self._heads.get(uid, 0), frame["n"])
                self._on_message(uid, frame, now_ns)
            elif frame.get("reply") in self._asked:
                self._asked[frame["reply"]] = frame
            elif frame.get("reply") and self.on_answer is not None:
                self.on_answer(frame["reply"], frame, now_ns)

    async def _acknowledge(self) -> None:
        while True:
            await trio.sleep(ACK_EVERY_S)
            for uid, head in self._heads.items():
                if self._acked.get(uid) != head:
                    self._acked[uid] = head
                    ack = {"op": "ack", "stream": "mailbox", "n": head}
                    self._viewers[uid].send(msgspec.json.encode(ack))


def _hello(token: str) -> bytes:
    return msgspec.json.encode({"op": "hello", "id": 0, "token": token, "im": {"device": "bench"}})
