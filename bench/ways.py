"""`relaymesh bench ways`: what a message of a big room takes by the ordinary way and the hot one.

By the ordinary way the room's viewers are on all n access nodes: a router sends a copy to the
room's carrier, which makes n of it. By the hot way they are on d dedicated nodes: each of the
relays that these have chosen takes the record from the bus, and each node gets one copy; no router
takes part. Real routers, relays and node ends in this process, over pynng on the loopback. Keys:

- `nodes` (n), `dedicated` (d), `relays`, `messages`, `body_bytes`: what was measured;
- `ordinary`, `hot`, `hot_undedicated` (the hot way with the viewers on all n nodes), each with
  - `expected`: by the formulas, `relay_copies` (messages into relays), `node_copies` (envelopes to
    nodes), `copies` (both tiers), for all messages;
  - `sent`: the same, counted, and `node_bytes` (whole envelopes), `missing`, `doubled` (messages
    that a node did not get, or got more than once);
  - `copies_per_message`;
- `listening`: relays that consumed in `hot`; `routed`: messages that the router took in `ordinary`;
- `ok`: nothing missing or doubled, and as many copies as expected.
"""

import random
from collections.abc import Sequence
from typing import Any

import click
import trio

from bench.copies import only_warnings
from bench.room import print_result
from bench.small_mesh import SmallMesh, Tally, small_mesh
from proto.heat import hot_key
from proto.priorities import Priority
from proto.records import Record, RecordHeader
from router.costs import Costs

ROOM, POOL, EPOCH = "big", "pool-1", "e1"
LISTENING_S = 0.2
"""A bus in memory is listened to at once."""


@click.command("ways")
@click.option("--nodes", default=20, show_default=True, type=click.IntRange(2, 100))
@click.option("--dedicated", default=4, show_default=True, type=click.IntRange(1, 100))
@click.option("--relays", default=2, show_default=True, type=click.IntRange(1, 8))
@click.option("--messages", default=200, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--body-bytes", default=200, show_default=True, type=click.IntRange(1, 32_768))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    nodes: int, dedicated: int, relays: int, messages: int, body_bytes: int, as_json: bool
) -> None:
    """Copies of a big room's messages, by the ordinary way and by the hot one."""
    if dedicated > nodes:
        raise click.BadParameter(
            f"at most --nodes, {nodes}, got {dedicated}", param_hint="--dedicated"
        )
    only_warnings()
    result = trio.run(measure, nodes, dedicated, relays, messages, body_bytes)
    if as_json:
        print_result(result, as_json=True)
    click.echo(table(result))
    raise SystemExit(0 if result["ok"] else 1)


async def measure(
    nodes: int, dedicated: int, relays: int, messages: int, body_bytes: int
) -> dict[str, Any]:
    """Send the messages each way through one mesh; returns what is printed."""
    records = _records(messages, body_bytes)
    async with small_mesh(nodes, relays, 1) as mesh:
        everyone, few = list(mesh.ends), list(mesh.ends)[:dedicated]
        await _want(mesh, everyone)
        tally, counters = await mesh.deliver(records, Costs())
        routed = sum(sum(each.routed.values()) for each in counters)
        ordinary = _shown(tally, messages, everyone, into_relays=1)
        await _want_once(mesh, few)
        listening = mesh.listening()
        hot = _shown(await mesh.deliver_hot(records, POOL), messages, few, listening)
        await _want_once(mesh, everyone)
        wide = await mesh.deliver_hot(records, POOL)
        undedicated = _shown(wide, messages, everyone, mesh.listening())
    runs = (ordinary, hot, undedicated)
    return {
        "nodes": nodes,
        "dedicated": dedicated,
        "relays": relays,
        "messages": messages,
        "body_bytes": body_bytes,
        "ordinary": ordinary,
        "hot": hot,
        "hot_undedicated": undedicated,
        "listening": listening,
        "routed": routed,
        "ok": all(_as_expected(run) for run in runs),
    }


def table(result: dict[str, Any]) -> str:
    """Return the result as a table for eyes."""
    head = "{:>16} {:>6} {:>14} {:>14} {:>12}"
    lines = [
        f"{result['nodes']} access nodes, {result['dedicated']} of them dedicated, "
        f"{result['relays']} relays; copies of a message:",
        head.format("way", "nodes", "into relays", "to nodes", "in all"),
    ]
    for way in ("ordinary", "hot", "hot_undedicated"):
        run, messages = result[way], result["messages"]
        sent = run["sent"]
        lines.append(
            head.format(
                way,
                run["nodes"],
                f"{sent['relay_copies'] / messages:.1f}",
                f"{sent['node_copies'] / messages:.1f}",
                f"{run['copies_per_message']:.1f}",
            )
        )
    return "\n".join(lines)


def _records(messages: int, body_bytes: int) -> list[Record]:
    def header(seq: int) -> RecordHeader:
        return RecordHeader(
            id=f"m-{seq}",
            kind="room",
            ts_ms=0,
            room=ROOM,
            priority=Priority.NORMAL.label,
            epoch=EPOCH,
            seq=seq,
            pool=POOL,
        )

    body = random.Random(1).randbytes(body_bytes)
    return [Record(header(seq), body) for seq in range(1, messages + 1)]


async def _want(mesh: SmallMesh, names: Sequence[str]) -> None:
    for name in names:
        mesh.ends[name].want(ROOM)
    for name in names:
        await mesh.ends[name].confirmed(ROOM)


async def _want_once(mesh: SmallMesh, names: Sequence[str]) -> None:
    """Ask for the room by the hot way, and wait until relays listen for it."""
    for name in names:
        mesh.ends[name].want_once(hot_key(POOL, ROOM))
    for name in names:
        await mesh.ends[name].confirmed(hot_key(POOL, ROOM))
    await trio.sleep(LISTENING_S)


def _shown(tally: Tally, messages: int, nodes: Sequence[str], into_relays: int) -> dict[str, Any]:
    owed = {f"{node}/{seq}" for node in nodes for seq in range(1, messages + 1)}
    relay_copies, node_copies = messages * into_relays, messages * len(nodes)
    return {
        "nodes": len(nodes),
        "expected": {
            "relay_copies": relay_copies,
            "node_copies": node_copies,
            "copies": relay_copies + node_copies,
        },
        "sent": {
            "relay_copies": tally.relay_copies,
            "node_copies": tally.node_copies,
            "copies": tally.relay_copies + tally.node_copies,
            "node_bytes": tally.node_bytes,
            "missing": len(owed - tally.told.keys()),
            "doubled": sum(count > 1 for count in tally.told.values()),
        },
        "copies_per_message": (tally.relay_copies + tally.node_copies) / messages,
    }


def _as_expected(run: dict[str, Any]) -> bool:
    sent = run["sent"]
    same = all(sent[name] == count for name, count in run["expected"].items())
    return same and not sent["missing"] and not sent["doubled"]
