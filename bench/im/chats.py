"""Friends write to each other at a steady rate: acknowledgements, deliveries, what is lost."""

import time
from dataclasses import dataclass, field
from typing import Any

import trio

from bench.crowd import quantile
from bench.im.people import People
from proto.conversations import direct

TEXT_BYTES = 100
FINISH_S = 15.0


@dataclass
class Chats:
    """What was sent and what came of it. Times are nanoseconds of the monotonic clock."""

    due_ns: dict[str, int] = field(default_factory=dict)
    mids: dict[int, str] = field(default_factory=dict)
    acked_ns: dict[str, int] = field(default_factory=dict)
    read_ns: dict[str, int] = field(default_factory=dict)
    refused: int = 0

    def answered(self, number: int, frame: dict[str, Any], now_ns: int) -> None:
        """Take the answer to a message."""
        mid = self.mids.get(number)
        if mid is None:
            return
        if "ok" in frame:
            self.acked_ns[mid] = now_ns
        else:
            self.refused += 1

    def received(self, uid: str, frame: dict[str, Any], now_ns: int) -> None:
        """Take a message that came to `uid`; the sender's own copy does not count."""
        if frame["uid"] != uid and frame["mid"] in self.due_ns:
            self.read_ns.setdefault(frame["mid"], now_ns)

    def lost(self) -> int:
        """Return how many were acknowledged and have not been read."""
        return len(self.acked_ns.keys() - self.read_ns.keys())

    def report(self, seconds: float) -> dict[str, Any]:
        """Return what is printed of them."""
        acks = sorted((at - self.due_ns[mid]) / 1e6 for mid, at in self.acked_ns.items())
        reads = sorted((at - self.due_ns[mid]) / 1e6 for mid, at in self.read_ns.items())
        return {
            "accepted_per_s": round(len(acks) / seconds),
            "ack_p50_ms": round(quantile(acks, 0.5), 1),
            "ack_p99_ms": round(quantile(acks, 0.99), 1),
            "recipient_p99_ms": round(quantile(reads, 0.99), 1),
            "sent": len(self.due_ns),
            "acked": len(acks),
            "refused": self.refused,
            "delivered": len(reads),
            "lost": self.lost(),
        }


async def write(
    people: People, chats: Chats, pairs: list[tuple[str, str]], per_s: float, seconds: float
) -> float:
    """Have the pairs write `per_s` messages a second, by turns; return how many seconds it took
    until the last was acknowledged, and wait for the deliveries."""
    people.on_answer = chats.answered
    turns = [turn for a, b in pairs for turn in ((a, b), (b, a))]
    began_ns, text = time.monotonic_ns(), "x" * TEXT_BYTES
    count = int(per_s * seconds)
    for number in range(count):
        due_ns = began_ns + round(number / per_s * 1e9)
        while time.monotonic_ns() < due_ns:
            # Whole milliseconds: a wake-up for each message would be most of the load's work.
            await trio.sleep(0.001)
        uid, other = turns[number % len(turns)]
        mid = f"{began_ns:x}-{number}"
        chats.due_ns[mid] = due_ns
        chats.mids[people.say(uid, op="send", conv=direct(uid, other), mid=mid, text=text)] = mid
        if number % 32 == 0:
            await trio.lowlevel.checkpoint()
    with trio.move_on_after(FINISH_S):
        while len(chats.acked_ns) + chats.refused < count:
            await trio.sleep(0.005)
    last_ns = max(chats.acked_ns.values(), default=time.monotonic_ns())
    with trio.move_on_after(FINISH_S):
        while chats.lost():
            await trio.sleep(0.005)
    return (last_ns - began_ns) / 1e9
