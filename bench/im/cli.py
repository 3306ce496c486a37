"""The command `relaymesh bench im`."""

import time
from typing import Any

import click
import trio

from backends.database.postgresql_server import PostgresqlServer
from bench import bus_choice, database_choice
from bench.bus_choice import bus_options
from bench.cluster import Cluster, running_cluster
from bench.database_choice import chosen_database, database_option
from bench.im import chats, diffusion
from bench.im.chats import Chats
from bench.im.database_limit import rows_per_s
from bench.im.people import People, ignore
from bench.room import print_result

PAIRS = 60
OWNER = "owner"
GROUPS = 20
MESSAGES_PER_GROUP = 10
WARM_UP_S = 2.0
SMALL = ("--access", "1", "--relays", "1")
"""One node of a kind: on two cores more of them only cut the same work into smaller parts."""
UNLIMITED = (
    "--set=access.client.frames_per_s=10000",
    "--set=access.client.frames_burst=20000",
    "--set=access.client.max_in_flight=2000",
    "--set=access.user.frames_per_s=10000",
    "--set=access.user.frames_burst=20000",
    "--set=access.edge.inbound.bytes_per_s=16777216",
)
"""A few connections stand for many people."""


async def measure(
    per_s: float, seconds: float, members: int, options: list[str], server: PostgresqlServer | None
) -> dict[str, Any]:
    """Run all parts; returns what is printed."""
    url = server.url() if server else "sqlite:///"
    limit = await trio.to_thread.run_sync(rows_per_s, url)
    async with running_cluster(*options, *SMALL, *UNLIMITED) as cluster:
        result = await _friends(cluster, per_s, seconds)
        result |= await _groups(cluster, members)
    database = "postgresql" if server else "sqlite"
    return result | {
        "store_rows_per_s": round(limit),
        "database": database,
        "ok": result["lost"] == 0 and result["acked"] > 0,
    }


async def _friends(cluster: Cluster, per_s: float, seconds: float) -> dict[str, Any]:
    pairs = [(f"ann-{number}", f"bob-{number}") for number in range(PAIRS)]
    uids = [uid for pair in pairs for uid in pair]
    warm, measured = Chats(), Chats()

    def received(uid: str, frame: dict[str, Any], now_ns: int) -> None:
        warm.received(uid, frame, now_ns)
        measured.received(uid, frame, now_ns)

    people = People(cluster, uids, received)
    await trio.to_thread.run_sync(people.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(people.run)
        await people.befriend(pairs)
        await chats.write(people, warm, pairs, per_s / 2, WARM_UP_S)
        cpu_s, load_s, began = cluster.cpu_s(), time.process_time(), time.monotonic()
        took_s = await chats.write(people, measured, pairs, per_s, seconds)
        wall_s = time.monotonic() - began
        shares = {
            role: (now - cpu_s.get(role, 0)) / wall_s for role, now in cluster.cpu_s().items()
        }
        shares["load"] = (time.process_time() - load_s) / wall_s
        nursery.cancel_scope.cancel()
    people.close()
    cpu_share = {role: round(share, 2) for role, share in shares.items()}
    return measured.report(took_s) | {"cpu_share": cpu_share}


async def _groups(cluster: Cluster, members: int) -> dict[str, Any]:
    others = [f"member-{number}" for number in range(1, members)]
    people = People(cluster, [OWNER, *others], ignore)
    await trio.to_thread.run_sync(people.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(people.run)
        await people.befriend((OWNER, other) for other in others)
        convs = await diffusion.make_groups(people, OWNER, others, GROUPS)
        nursery.cancel_scope.cancel()
    people.close()
    return await _written(cluster, convs, members)


async def _written(cluster: Cluster, convs: list[str], members: int) -> dict[str, Any]:
    """Write to the groups with the owner alone connected: what is measured is the diffusion."""
    owner = People(cluster, [OWNER], ignore)
    await trio.to_thread.run_sync(owner.connect)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(owner.run)
        result = await diffusion.fill(cluster, owner, OWNER, convs, MESSAGES_PER_GROUP, members)
        nursery.cancel_scope.cancel()
    owner.close()
    return result


@click.command()
@click.option("--per-s", default=2050.0, show_default=True, help="Single-chat messages a second.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(1, 600))
@click.option("--members", default=300, show_default=True, type=click.IntRange(3, 900))
@database_option
@bus_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(
    per_s: float,
    seconds: float,
    members: int,
    database: str,
    bus: str,
    bus_url: str,
    as_json: bool,
) -> None:
    """Instant messages: acknowledgements, deliveries, mailbox rows."""
    with chosen_database(database) as server:
        options = [*bus_choice.up_options(bus, bus_url), *database_choice.up_options(server)]
        result = trio.run(measure, per_s, seconds, members, options, server)
    print_result(result, as_json)
