"""`relaymesh chaos overload`: far more than the cluster can carry, and an access node that fails.

Starts a cluster of its own whose logic takes 150 normal and bulk messages a second, with small
queues. Hosts speak (urgent) ten times a second all the while, first in `--quiet` seconds of peace.
Then a flood begins: back ends publish big notices, normal and bulk, as fast as they are answered,
and people chat without waiting for answers. Of the two access nodes one gets a fraction of its
processor time (SIGSTOP and SIGCONT by turns), so that it takes less than comes; then it is stopped
for four seconds, and runs on. Watchers on both see the room. Prints

- `seconds` of overload; `acked` by priority, `overloaded` and `refused` (other codes): the answers;
- `bus_depth`: records that waited on the bus, or for it: `before`, `peak`, `after`; `emptied_s`:
  how long after the flood until it was empty and every watcher had all;
- `holds`: times that a relay pushed routers back, by priority; `cut`: links that relays cut, by
  reason; `drops`: what each tier dropped, by reason and priority;
- `skipped`: messages that watchers were told of as skipped, by priority;
- `lost`: acknowledged urgent and normal messages that a watcher neither got nor was told of as
  skipped; `doubled`, `disordered`, `resets`, over all watchers and priorities;
- `urgent_p99_ms`: from sending to the watchers on the sound node, `quiet` and in the `overload`;
- `memory_mb` of each process, before and at its highest;
- `ok`: nothing lost, doubled, out of order or reset, no urgent message skipped; something was
  answered `overloaded`; relays held; the bus's depth rose and fell; no process grew by over 256 MB.
"""

import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click
import msgspec
import trio

from bench.bus_choice import bus_options, up_options
from bench.chaos.gauges import Gauges
from bench.chaos.slowing import slow, stopped
from bench.chaos.watching import Watch
from bench.cluster import Cluster, running_cluster
from bench.crowd import Crowd, Viewer, quantile
from bench.room import hello, print_result

ROOM = "flooded"
HOSTS, WATCHERS, CHATTERS, BESIDE_THE_SLOW = 4, 4, 4, 2
SPEECHES_PER_S = 10.0
POSTERS = 16
CHATS_PER_CHATTER_AND_S = 28.0
"""Just below what one connection may send."""
FIRST_CHAT = 1_000_000
NOTICE_BYTES = 32_000
CHAT = "\N{WATER WAVE}" * 2000
"""The longest text that there may be, in the widest characters."""
STOPPED_S = 4.0
"""Longer than a relay bears a lane that stays full, and a node that says nothing."""
SLOW_SHARE = 0.8
"""Of the rest of the time the node is slow for so long, and sound again for what is left."""
FINISH_S = 40.0
GROWTH_MB = 256

SMALL = (
    *("--set", "logic.messages_per_s=150"),
    # The chatters are to get that far.
    *("--set", "access.edge.inbound.bytes_per_s=1048576"),
    # And the log is to reach back to the moment at which the stopped node was cut off: what it no
    # longer has is told as `reset`, which is as it should be, but not what is looked at here.
    *("--set", "logic.room_log.messages=10000"),
    *("--set", "router.room_log.messages=10000"),
    *("--set", f"relay.peer_lane_bytes={1 << 20}"),
    *("--set", f"router.mesh.lane_bytes={1 << 20}"),
)
"""What makes a flood of some megabytes a second too much, on a machine of any size."""


async def run(seconds: float, quiet_s: float, options: list[str]) -> dict[str, Any]:
    """Run the whole story; returns what is printed."""
    async with running_cluster(*SMALL, *options) as cluster:
        watch = Watch(first_normal=FIRST_CHAT)
        crowd = Crowd(b'"push":"speech"', watch.received)
        await trio.to_thread.run_sync(_connect, crowd, cluster)
        gauges = Gauges(cluster)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crowd.read)
            nursery.start_soon(crowd.stay_alive)
            nursery.start_soon(_speak, crowd.viewers[:HOSTS])
            await trio.sleep(quiet_s)
            quiet = _latencies(watch, crowd)
            await gauges.read()
            nursery.start_soon(gauges.run)
            began_s = trio.current_time()
            await _overload(cluster, watch, crowd, seconds)
            loud = _latencies(watch, crowd)[len(quiet) :]
            lasted_s = trio.current_time() - began_s
            emptied_s = await _empty(crowd, watch, gauges)
            nursery.cancel_scope.cancel()
        crowd.close()
    return {"seconds": round(lasted_s, 1)} | _report(
        watch, crowd.viewers, gauges, emptied_s, quiet, loud
    )


def _connect(crowd: Crowd, cluster: Cluster) -> None:
    sound, slowed = cluster.access[:2]

    def hellos(name: str, count: int, host: tuple[str, ...] = ()) -> Iterator[bytes]:
        return (hello(cluster.token(f"{name}-{n}", host=host), ROOM) for n in range(count))

    crowd.connect([sound], hellos("host", HOSTS, (ROOM,)), reading=True)
    crowd.connect([sound], hellos("watcher", WATCHERS), reading=True)
    crowd.connect([sound], hellos("chatter", CHATTERS), reading=True)
    crowd.connect([slowed], hellos("sufferer", BESIDE_THE_SLOW), reading=True)


async def _speak(hosts: list[Viewer]) -> None:
    """Have the hosts speak by turns, for ever."""
    start, number = trio.current_time(), 0
    while True:
        number += 1
        await trio.sleep_until(start + number / SPEECHES_PER_S)
        text = str(time.monotonic_ns())
        request = {"op": "speech", "id": number, "room": ROOM, "text": text}
        hosts[number % len(hosts)].send(msgspec.json.encode(request))


async def _overload(cluster: Cluster, watch: Watch, crowd: Crowd, seconds: float) -> None:
    """Flood the cluster for `seconds`, with the second access node slow, then stopped."""
    chatters = crowd.viewers[HOSTS + WATCHERS : HOSTS + WATCHERS + CHATTERS]
    async with trio.open_nursery() as flood:
        flood.start_soon(_chat, chatters)
        for number in range(POSTERS):
            flood.start_soon(_post, cluster, watch, number)
        pid = cluster.pids()["access-2"]
        slow_s = SLOW_SHARE * (seconds - STOPPED_S)
        await slow(pid, slow_s)
        await stopped(pid, STOPPED_S)
        await trio.sleep(seconds - STOPPED_S - slow_s)
        flood.cancel_scope.cancel()


async def _chat(chatters: list[Viewer]) -> None:
    """Have the chatters chat (normal) without waiting for an answer, for ever."""
    start, number, per_s = trio.current_time(), 0, CHATS_PER_CHATTER_AND_S * len(chatters)
    while True:
        number += 1
        await trio.sleep_until(start + number / per_s)
        request = {"op": "chat", "id": FIRST_CHAT + number, "room": ROOM, "text": CHAT}
        chatters[number % len(chatters)].send(msgspec.json.encode(request))


async def _post(cluster: Cluster, watch: Watch, poster: int) -> None:
    """Publish notices, normal and bulk by turns, as fast as they are answered, until cancelled."""
    token, number = cluster.token("backend", server=True), 0
    while True:
        number += 1
        priority = ("normal", "bulk")[number % 2]
        body = {"data": "x" * NOTICE_BYTES, "priority": priority, "mid": f"{poster}-{number}"}
        try:
            answer = await cluster.get_json(f"/v1/rooms/{ROOM}/publish", body, token)
        except urllib.error.HTTPError as error:
            with error:
                watch.refused[msgspec.json.decode(error.read())["code"]] += 1
        else:
            watch.acked.add((priority, answer["seq"]))


async def _empty(crowd: Crowd, watch: Watch, gauges: Gauges) -> float:
    """Wait until the bus is empty and every watcher has all; returns the seconds it took."""
    began_s = trio.current_time()

    def done() -> bool:
        return not gauges.depths[-1] and not watch.missing(crowd.viewers)

    await crowd.settle(done, FINISH_S)
    return trio.current_time() - began_s


def _latencies(watch: Watch, crowd: Crowd) -> list[float]:
    """Return the latencies at the watchers on the sound node, in the order in which they came."""
    watchers = crowd.viewers[HOSTS : HOSTS + WATCHERS]
    each = [watch.latencies_ms.get(viewer, []) for viewer in watchers]
    return [ms for at_once in zip(*each, strict=False) for ms in at_once]


def _report(
    watch: Watch,
    viewers: list[Viewer],
    gauges: Gauges,
    emptied_s: float,
    quiet: list[float],
    loud: list[float],
) -> dict[str, Any]:
    seen, acked = watch.seen.values(), Counter(priority for priority, _ in watch.acked)
    holds, skipped = gauges.counted("relaymesh_relay_holds"), watch.skipped()
    depth = {"before": gauges.depths[0], "peak": max(gauges.depths), "after": gauges.depths[-1]}
    wrong = {
        "lost": watch.missing(viewers),
        "doubled": sum(each.doubled() for each in seen),
        "disordered": sum(each.disordered() for each in seen),
        "resets": sum(each.resets for each in seen),
    }
    overloaded = watch.refused.pop("overloaded", 0)
    rose_and_fell = depth["peak"] > depth["before"] and not depth["after"]
    return {
        "acked": dict(acked),
        "overloaded": overloaded,
        "refused": dict(watch.refused),
        "bus_depth": {when: int(records) for when, records in depth.items()},
        "emptied_s": round(emptied_s, 1),
        "holds": holds,
        "cut": gauges.counted("relaymesh_relay_links_cut"),
        "drops": {
            tier: gauges.counted(f"relaymesh_{name}")
            for tier, name in (
                ("relay", "relay_drops"),
                ("router", "mesh_drops"),
                ("logic", "logic_outgoing_drops"),
            )
        },
        "skipped": skipped,
        **wrong,
        "urgent_p99_ms": {"quiet": _p99(quiet), "overload": _p99(loud)},
        "memory_mb": gauges.memory_mb(),
        "ok": not any(wrong.values())
        and not skipped["urgent"]
        and bool(overloaded and holds and rose_and_fell)
        and gauges.growth_mb() <= GROWTH_MB,
    }


def _p99(latencies_ms: list[float]) -> float:
    return round(quantile(sorted(latencies_ms), 0.99), 1)


@click.command()
@click.option("--seconds", default=15.0, show_default=True, type=click.FloatRange(6, 600))
@click.option("--quiet", "quiet_s", default=5.0, show_default=True, type=click.FloatRange(1, 600))
@bus_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(seconds: float, quiet_s: float, bus: str, bus_url: str, as_json: bool) -> None:
    """Flood a cluster, with a node slow and stopped; the bus holds the backlog."""
    print_result(trio.run(run, seconds, quiet_s, up_options(bus, bus_url)), as_json)
