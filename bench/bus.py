"""Measure a bus: `python -m bench.bus --kind redis --url unix:///PATH`.

Prints one JSON object:

- `packed_per_s`: 200 B records that 200 publishers got confirmed in a second, shared packs;
- `records_per_pack`: what sharing made of it;
- `ack_ms`: `p50` and `p99` of one `publish` at `rate` records a second;
- `end_to_end_ms`: the same from before the publish until the consumer has the record;
- `lost`: records that were confirmed and never came.
"""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Sequence

import trio

from backends.bus.connect import AnyBus, open_bus
from backends.bus.interface import Subscription
from backends.bus.settings import BusSettings
from proto.records import Record, RecordHeader
from proto.topics import Topic

PUBLISHERS = 200
BODY = b"x" * 200
TOPIC = Topic.NORMAL
DRAIN_S = 10.0


class Trial:
    """What was published when, and when it came."""

    def __init__(self) -> None:
        self.confirmed: set[str] = set()
        self.sent_at: dict[str, float] = {}
        self.ack_s: list[float] = []
        self.way_s: list[float] = []
        self.came: set[str] = set()

    async def publish(self, bus: AnyBus, number: int) -> None:
        """Publish one record and note how long its confirmation took."""
        record_id = str(number)
        header = RecordHeader(id=record_id, kind="room", ts_ms=0, room=f"room {number % 50}")
        started = self.sent_at[record_id] = time.perf_counter()
        await bus.publish(TOPIC, [Record(header, BODY)])
        self.ack_s.append(time.perf_counter() - started)
        self.confirmed.add(record_id)

    async def consume(self, subscription: Subscription) -> None:
        """Take and acknowledge everything."""
        while True:
            delivery = await subscription.receive()
            now = time.perf_counter()
            for record in delivery.records:
                if record.header.id not in self.came:
                    self.came.add(record.header.id)
                    self.way_s.append(now - self.sent_at[record.header.id])
            await delivery.ack()

    async def drain(self) -> None:
        """Wait until everything confirmed came, or it is overdue."""
        with trio.move_on_after(DRAIN_S):
            while not self.confirmed <= self.came:
                await trio.sleep(0.01)


async def publish_flat_out(trial: Trial, bus: AnyBus, seconds: float) -> float:
    """Keep `PUBLISHERS` publishers busy; returns confirmed records a second."""
    started, numbers = time.perf_counter(), iter(range(10**9))

    async def publisher() -> None:
        while time.perf_counter() - started < seconds:
            await trial.publish(bus, next(numbers))

    async with trio.open_nursery() as nursery:
        for _ in range(PUBLISHERS):
            nursery.start_soon(publisher)
    return len(trial.confirmed) / (time.perf_counter() - started)


async def publish_steadily(trial: Trial, bus: AnyBus, rate: int, seconds: float) -> None:
    """Publish `rate` records a second, each on its own."""
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(int(rate * seconds)):
            await trio.sleep_until(started + number / rate)
            nursery.start_soon(trial.publish, bus, number)


async def measure(settings: BusSettings, rate: int, seconds: float) -> dict[str, object]:
    """Run both trials on a new topic; returns the figures."""
    async with open_bus(settings) as bus, bus.subscribe(TOPIC, "bench") as subscription:
        flood, steady = Trial(), Trial()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood.consume, subscription)
            packed_per_s = await publish_flat_out(flood, bus, seconds)
            await flood.drain()
            nursery.cancel_scope.cancel()
        packs = bus.counters[TOPIC].packs_published
        async with trio.open_nursery() as nursery:
            nursery.start_soon(steady.consume, subscription)
            await publish_steadily(steady, bus, rate, seconds)
            await steady.drain()
            nursery.cancel_scope.cancel()
        return {
            "kind": settings.kind,
            "packed_per_s": round(packed_per_s),
            "records_per_pack": round(len(flood.confirmed) / packs, 1),
            "rate": rate,
            "ack_ms": percentiles_ms(steady.ack_s),
            "end_to_end_ms": percentiles_ms(steady.way_s),
            "lost": sum(len(t.confirmed - t.came) for t in (flood, steady)),
        }


def percentiles_ms(durations_s: Sequence[float]) -> dict[str, float]:
    """Return `p50` and `p99` in milliseconds."""
    ordered = sorted(durations_s)
    return {
        name: round(ordered[int(len(ordered) * share)] * 1000, 2)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


def main(argv: Sequence[str]) -> int:
    """Measure and print; 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="bench.bus", description="Measure a bus.")
    parser.add_argument("--kind", choices=["memory", "redis", "rocketmq"], default="memory")
    parser.add_argument("--url", default="", help="where the broker is")
    parser.add_argument("--rate", type=int, default=1000, help="records a second, steady trial")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each trial")
    options = parser.parse_args(argv)
    prefix = f"bench-{uuid.uuid4().hex[:8]}"
    settings = BusSettings(kind=options.kind, url=options.url, prefix=prefix)
    result = trio.run(measure, settings, options.rate, options.seconds)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0 if result["lost"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
