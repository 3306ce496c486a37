"""A device that takes instant messages: acknowledges, and passes each message on once."""

import json
import random
from typing import Any

from tests.access.cluster import World

DIRECT = "d:ann|bob"


class Phone:
    """One device of one user over one or more connections."""

    def __init__(self, world: World, uid: str = "ann", device: str = "phone") -> None:
        self.world = world
        self.uid = uid
        self.device = device
        self.client = world.client()
        self.epoch = ""
        self.positions: dict[str, int] = {}
        self.got: dict[str, list[int]] = {}
        """Numbers passed on, by stream, in order."""
        self.said: list[tuple[str, int]] = []
        """Conversations and numbers in them, in the order in which they were passed on."""
        self.frames = 0
        self.held: dict[str, dict[int, dict[str, Any]]] = {}
        self.loses: random.Random | None = None
        """Where it is set, the application loses half of what comes."""

    async def hello(self, **im: Any) -> dict[str, Any]:
        """Connect and say hello with what it has; returns `ok.im`."""
        ok = await self.client.hello(self.uid, im={"device": self.device, **im})
        answer: dict[str, Any] = ok["im"]
        if "error" not in answer:
            self.epoch = answer["epoch"]
            self.positions = {"mailbox": answer["start"]}
            for conv, hot in answer["hot"].items():
                self.positions[f"hot:{conv}"] = hot["start"]
        return answer

    async def again(self, **im: Any) -> dict[str, Any]:
        """Connect anew from where it is."""
        if self.client.connection.closed_with is None:
            self.world.edge.hang_up(self.client.connection)
        self.client = self.world.client()
        hot = {k[4:]: n for k, n in self.positions.items() if k.startswith("hot:")}
        return await self.hello(epoch=self.epoch, since=self.positions["mailbox"], hot=hot, **im)

    def take(self, *, ack: bool = True) -> None:
        """Take what has come."""
        for frame in self.client.pushes("message"):
            self.frames += 1
            if self.loses is None or self.loses.random() < 0.5:
                self._take(frame)
        self.client.frames = [f for f in self.client.frames if f.get("push") != "message"]
        if ack:
            self.ack()

    def ack(self) -> None:
        """Acknowledge what was taken."""
        for stream, n in self.positions.items():
            also = [[k, k] for k in sorted(self.held.get(stream, {}))[:32]]
            if stream in self.got or also:
                self.acknowledge(stream, n, also)

    def acknowledge(self, stream: str, n: int, also: list[list[int]] | None = None) -> None:
        request = {"op": "ack", "stream": stream, "n": n} | ({"also": also} if also else {})
        self.client.raw(json.dumps(request).encode())

    def _take(self, frame: dict[str, Any]) -> None:
        stream, n = frame["stream"], frame["n"]
        if stream == "mailbox":
            if n > self.positions[stream]:
                self.held.setdefault(stream, {})[n] = frame
            while (following := self.positions[stream] + 1) in self.held.get(stream, {}):
                self._pass_on(self.held[stream].pop(following))
        elif n > self.positions.get(stream, 0):
            self._pass_on(frame)

    def _pass_on(self, frame: dict[str, Any]) -> None:
        stream, n = frame["stream"], frame["n"]
        self.positions[stream] = n
        self.got.setdefault(stream, []).append(n)
        self.said.append((frame["conv"], frame["seq"]))

    async def live(self, seconds: float) -> None:
        """Take and acknowledge for a while."""
        for _ in range(max(round(seconds / 0.1), 1)):
            self.take()
            await self.world.settle(0.1)
        self.take()
