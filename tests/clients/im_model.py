"""A cluster and an application around the client's rules, without I/O: every fault is an action.

The cluster keeps messages in mailboxes and hot streams and sends each connection what it lacks, in
the order that docs/protocol.md promises; frames get lost, doubled and out of order on the way into
the client, connections break, the application starts anew with what it has kept.
"""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from relaymesh_client.im.events import ImPosition, MailboxReset, Message
from relaymesh_client.protocol import Protocol

Frame = dict[str, Any]
LEVEL = 12
"""Messages that may be missed and are pushed."""
PAGE_CUT = 3
"""A page has no more messages than that, whatever was asked for."""


@dataclass
class Cluster:
    """All messages there are, in the order in which they may be sent, and one connection."""

    said: list[Frame] = field(default_factory=list)
    heads: dict[str, int] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    hot: set[str] = field(default_factory=set)
    epoch: str = "e1"
    starts: dict[str, int] = field(default_factory=dict)
    """Of the present connection, by stream."""
    sent: dict[str, int] = field(default_factory=dict)
    queue: list[Frame] = field(default_factory=list)
    flying: list[Frame] = field(default_factory=list)
    acked: dict[str, int] = field(default_factory=dict)

    def say(self, conv: str, kind: str = "message") -> None:
        """Keep a message, and send it if the connection is to have it."""
        seq = self.seqs[conv] = self.seqs.get(conv, 0) + 1
        stream = f"hot:{conv}" if conv in self.hot else "mailbox"
        n = seq if conv in self.hot else self.heads.get("mailbox", 0) + 1
        self.heads[stream] = n
        frame = {"stream": stream, "n": n, "push": "message", "conv": conv, "seq": seq}
        frame |= {"id": f"{conv}/{seq}", "kind": kind, "uid": "bob", "ts": 1, "mid": f"{seq}"}
        self.said.append(frame | {"body": {}})
        self._offer(self.said[-1])

    def turn(self, conv: str) -> None:
        """Make a group hot, or let it cool."""
        if conv in self.hot:
            self.say(conv, "cool")
            self.hot.discard(conv)
        else:
            self.say(conv, "hot")
            self.hot.add(conv)

    def open(self, spec: Frame) -> Frame:
        """Begin a connection; returns `ok.im`."""
        head = self.heads.get("mailbox", 0)
        since = spec.get("since", self.acked.get("mailbox", 0))
        is_reset = spec.get("epoch", self.epoch) != self.epoch or since > head
        is_behind = head - since > LEVEL
        start = head if is_reset or is_behind else since
        said = {} if is_reset else spec.get("hot", {})
        hot = {f"hot:{conv}": self._hot_start(f"hot:{conv}", n) for conv, n in said.items()}
        if is_behind or is_reset:
            # Groups that became hot while the device was away: it has no cursor there.
            hot = {f"hot:{conv}": self.seqs[conv] for conv in self.hot} | hot
        self.starts, self.sent = {"mailbox": start, **hot}, {"mailbox": start, **hot}
        self.queue, self.flying = [], []
        for frame in self.said:
            self._offer(frame)
        told = {name[4:]: {"head": self.heads.get(name, 0), "start": n} for name, n in hot.items()}
        standing = "reset" if is_reset else "behind" if is_behind else "level"
        return {
            "epoch": self.epoch,
            "head": head,
            "start": start,
            "standing": standing,
            "hot": told,
        }

    def fetch(self, request: Frame) -> Frame:
        """Answer `sync`."""
        stream, since = request["stream"], request["since"]
        head = self.heads.get(stream, 0)
        if since > head:
            # Also where a group is hot, and nothing was said in it since.
            return {"error": {"code": "bad_cursor", "message": "beyond the end"}}
        frames = [each for each in self.said if each["stream"] == stream and each["n"] > since]
        if len(frames) > PAGE_CUT:
            frames = frames[:PAGE_CUT]
            head = frames[-1]["n"]
        return {"ok": {"epoch": self.epoch, "head": head, "oldest": 1, "frames": frames}}

    def acknowledge(self, ack: Frame) -> None:
        """Take an `ack`, which must not be of what this connection has not sent."""
        stream, n, also = ack["stream"], ack["n"], ack.get("also", [])
        assert n <= self.sent.get(stream, -1), f"never sent: {ack}"
        assert all(n < first <= last <= self.sent[stream] for first, last in also), ack
        self.acked[stream] = max(self.acked.get(stream, 0), n)
        self.flying = [
            each
            for each in self.flying
            if each["stream"] != stream
            or not (each["n"] <= n or any(first <= each["n"] <= last for first, last in also))
        ]

    def take(self, count: int) -> list[Frame]:
        """Return the next frames that go out."""
        frames, self.queue = self.queue[:count], self.queue[count:]
        for each in frames:
            self.sent[each["stream"]] = max(self.sent.get(each["stream"], 0), each["n"])
        self.flying += frames
        return frames

    def _hot_start(self, stream: str, since: int) -> int:
        head = self.heads.get(stream, 0)
        return head if head - since > LEVEL else since

    def _offer(self, frame: Frame) -> None:
        start = self.starts.get(frame["stream"])
        if start is not None and frame["n"] > start:
            self.queue.append(frame)
            if frame["kind"] == "hot":
                self.starts.setdefault(f"hot:{frame['conv']}", frame["seq"])


class Application:
    """What keeps messages: a client with a restart of its own. `kept` has all that it has kept,
    `given` what the present client gave it and it has not kept yet."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.random = random.Random(seed)
        self.now = 0.0
        self.kept: list[Message] = []
        self.given: list[Message] = []
        self.resets: list[MailboxReset] = []
        self.newest: dict[str, int] = {}
        """Of each conversation, what the present client gave."""
        self.begin(ImPosition("e1", 0))

    def begin(self, position: ImPosition) -> None:
        """Start with a new client, at `position`."""
        self.given, self.newest = [], {}
        self.client = Protocol(self.random, device="phone", position=position)
        self.connect()

    def restart(self) -> None:
        """Be killed: what was not kept is lost with the client."""
        self.begin(self.client.im.position)

    def connect(self) -> None:
        """Connect, and say `hello`."""
        self.syncs: list[Frame] = []
        self.client.opened("token", now=self.now)
        (hello,) = map(json.loads, self.client.outgoing)
        self.client.outgoing.clear()
        ok: Frame = {"uid": "ann", "node": "n", "session": "s", "heartbeat_ms": 10**9, "rooms": {}}
        ok["im"] = self.cluster.open(hello["im"])
        self.receive({"reply": hello["id"], "ok": ok})

    def cut(self) -> None:
        """Lose the connection and come back."""
        self.client.closed(None, "", now=self.now, reconnecting=True)
        self.work()
        self.connect()

    def receive(self, *frames: Frame) -> None:
        """Let frames come."""
        self.client.received(json.dumps(frames), now=self.now)
        self.work()

    def keep(self, count: int) -> None:
        """Keep the next messages, and say so."""
        for message in self.given[:count]:
            self.kept.append(message)
            self.client.im.take(message, self.now)
        self.given = self.given[count:]
        self.wait(0.0)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.client.tick(self.now)
        self.work()

    def answer(self) -> None:
        """Have the cluster answer all pages that were asked for."""
        syncs, self.syncs = self.syncs, []
        for request in syncs:
            self.receive({"reply": request["id"], **self.cluster.fetch(request)})

    def work(self) -> None:
        """Take what the client puts out."""
        outgoing, self.client.outgoing = self.client.outgoing, []
        for text in outgoing:
            frame = json.loads(text)
            if frame["op"] == "ack":
                self.cluster.acknowledge(frame)
            elif frame["op"] == "sync":
                self.syncs = [each for each in self.syncs if each["id"] != frame["id"]] + [frame]
        for event in self.client.events:
            if isinstance(event, Message):
                before = self.newest.get(event.conv, 0)
                assert event.seq > before, f"{event.conv}: {event.seq} after {before}"
                self.newest[event.conv] = event.seq
                self.given.append(event)
            elif isinstance(event, MailboxReset):
                self.resets.append(event)
        self.client.events.clear()
