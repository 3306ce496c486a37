"""`relaymesh bench copies`: what it takes to reach u users on n access nodes.

For each u it prints what the article's ungrouped formulas say, what our plan predicts and chooses,
and what was really sent: real routers, relays and node ends in this process, over pynng on the
loopback, with the users spread over the nodes at random (`--seed`). Keys:

- `nodes`, `relays`, `routers`, `body_bytes`, `seed`: what was measured;
- `rows`: one for each u, with
  - `uids`: u; `tasks`: records of at most 1,000 uids that the list became; `tasks_by_router`: how
    many of them each router took;
  - `article`: copies without grouping, `precise` = 3·u and `broadcast` = u + n;
  - `plan`: `mode` (what the cost model chose), and the predictions for `precise` and `broadcast`:
    `lookups`, `relay_copies`, `node_copies`, `copies` (both tiers), `uid_bytes`, `cost_us`;
  - `sent`: counted for the chosen mode: `modes` (records by mode), `lookups`, `relay_copies`,
    `node_copies`, `copies`, `relay_bytes`, `node_bytes` (whole envelopes), `told` (users reached),
    `missing`, `doubled`;
  - `sent_precise`, `sent_broadcast`: the same with the mode forced, for comparison;
- `ok`: in every run each user was reached exactly once.
"""

import logging
import random
import sys
from collections.abc import Sequence
from typing import Any

import click
import structlog
import trio

from bench.room import print_result
from bench.small_mesh import SmallMesh, Tally, small_mesh
from proto.records import MAX_UIDS_PER_RECORD, Record, RecordHeader
from router.costs import Costs
from router.counters import Counters
from router.plan import Cluster, Estimate, Load, broadcast, choose, precise, ungrouped
from router.spread import packed_bytes

SIZES = (2, 50, 1000, 10_000)
FREE_LOOKUPS = Costs(round_trip_us=0, lookup_us=0, copy_us=0, body_byte_us=0)
"""With these the plan is always precise: its uids travel no more than a broadcast's."""

DEAR_LOOKUPS = Costs(round_trip_us=100_000, lookup_us=10_000)
"""With these the plan is always broadcast."""


@click.command("copies")
@click.option("--nodes", default=20, show_default=True, type=click.IntRange(2, 100))
@click.option("--relays", default=2, show_default=True, type=click.IntRange(1, 8))
@click.option("--routers", default=2, show_default=True, type=click.IntRange(1, 8))
@click.option("--body-bytes", default=200, show_default=True, type=click.IntRange(1, 32_768))
@click.option("--seed", default=1, show_default=True, help="Of where the users are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    nodes: int, relays: int, routers: int, body_bytes: int, seed: int, as_json: bool
) -> None:
    """Copies for u users on n access nodes: the article's, planned, and really sent."""
    only_warnings()
    result = trio.run(measure, nodes, relays, routers, body_bytes, seed)
    if as_json:
        print_result(result, as_json=True)
    click.echo(table(result))
    raise SystemExit(0 if result["ok"] else 1)


async def measure(
    nodes: int,
    relays: int,
    routers: int,
    body_bytes: int,
    seed: int,
    sizes: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """Run every size through one mesh; returns what is printed."""
    uids = [f"user-{number:05d}" for number in range(max(sizes))]
    async with small_mesh(nodes, relays, routers) as mesh:
        await mesh.place(uids, random.Random(seed))
        cluster = Cluster(nodes, relays)
        rows = [await _row(mesh, uids[:size], cluster, bytes(body_bytes)) for size in sizes]
    runs = [
        run for row in rows for run in (row["sent"], row["sent_precise"], row["sent_broadcast"])
    ]
    return {
        "nodes": nodes,
        "relays": relays,
        "routers": routers,
        "body_bytes": body_bytes,
        "seed": seed,
        "rows": rows,
        "ok": not any(run["missing"] or run["doubled"] for run in runs),
    }


def only_warnings() -> None:
    """Log to stderr, and no line for each node that comes and goes."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def table(result: dict[str, Any]) -> str:
    """Return the result as a table for eyes."""
    head = "{:>6} {:>5} | {:>8} {:>9} | {:>9} {:>9} {:>9} | {:>9} {:>7} {:>9} {:>9}"
    names = "users tasks precise broadcast mode precise broadcast sent lookups precise broadcast"
    lines = [
        f"{result['nodes']} access nodes, {result['relays']} relays, {result['routers']} routers",
        "copies:       | article, ungrouped | planned                       | really sent",
        head.format(*names.split()),
    ]
    for row in result["rows"]:
        plan, sent = row["plan"], row["sent"]
        lines.append(
            head.format(
                row["uids"],
                row["tasks"],
                row["article"]["precise"],
                row["article"]["broadcast"],
                plan["mode"],
                plan["precise"]["copies"],
                plan["broadcast"]["copies"],
                sent["copies"],
                sent["lookups"],
                row["sent_precise"]["copies"],
                row["sent_broadcast"]["copies"],
            )
        )
    return "\n".join(lines)


async def _row(
    mesh: SmallMesh, uids: Sequence[str], cluster: Cluster, body: bytes
) -> dict[str, Any]:
    tasks = [
        uids[start : start + MAX_UIDS_PER_RECORD]
        for start in range(0, len(uids), MAX_UIDS_PER_RECORD)
    ]
    sent, counters = await mesh.deliver(_records(tasks, body), Costs())
    exact, exact_counters = await mesh.deliver(_records(tasks, body), FREE_LOOKUPS)
    wide, wide_counters = await mesh.deliver(_records(tasks, body), DEAR_LOOKUPS)
    return {
        "uids": len(uids),
        "tasks": len(tasks),
        "tasks_by_router": [sum(each.routed.values()) for each in counters],
        "article": ungrouped(len(uids), cluster.nodes)._asdict(),
        "plan": _plan(tasks, cluster, body),
        "sent": _shown(sent, counters, uids),
        "sent_precise": _shown(exact, exact_counters, uids),
        "sent_broadcast": _shown(wide, wide_counters, uids),
    }


def _records(tasks: Sequence[Sequence[str]], body: bytes) -> list[Record]:
    """Return the tasks as logic publishes them."""
    return [
        Record(
            RecordHeader(id=f"m-{n}", kind="users", ts_ms=0, priority="normal", uids=tuple(task)),
            body,
        )
        for n, task in enumerate(tasks)
    ]


def _plan(tasks: Sequence[Sequence[str]], cluster: Cluster, body: bytes) -> dict[str, Any]:
    loads = [Load(len(task), sum(map(packed_bytes, task)), len(body)) for task in tasks]
    costs = Costs()
    modes = {choose(load, cluster, costs, settled=True).mode.value for load in loads}
    return {
        "mode": "+".join(sorted(modes)),
        "precise": _summed([precise(load, cluster, costs) for load in loads]),
        "broadcast": _summed([broadcast(load, cluster, costs) for load in loads]),
    }


def _summed(estimates: Sequence[Estimate]) -> dict[str, float]:
    names = ("lookups", "relay_copies", "node_copies", "copies", "uid_bytes", "cost_us")
    return {name: round(sum(getattr(each, name) for each in estimates), 1) for name in names}


def _shown(tally: Tally, counters: Sequence[Counters], uids: Sequence[str]) -> dict[str, Any]:
    modes = {
        mode.value: count
        for mode in counters[0].routed
        if (count := sum(each.routed[mode] for each in counters))
    }
    return {
        "modes": modes,
        "lookups": sum(each.lookups for each in counters),
        "relay_copies": tally.relay_copies,
        "node_copies": tally.node_copies,
        "copies": tally.relay_copies + tally.node_copies,
        "relay_bytes": tally.relay_bytes,
        "node_bytes": tally.node_bytes,
        "told": len(tally.told),
        "missing": len(set(uids) - set(tally.told)),
        "doubled": sum(count > 1 for count in tally.told.values()),
    }
