"""Groups of many members are written to at once: how fast mailboxes fill."""

import time
from typing import Any

import click
import trio

from bench.cluster import Cluster
from bench.im.people import People

ROWS = "relaymesh_logic_mailbox_rows_total"
INVITED_AT_ONCE = 150
LIMIT_S = 60.0


async def make_groups(people: People, owner: str, members: list[str], count: int) -> list[str]:
    """Return `count` groups of `owner` and all `members`, its friends."""
    convs = []
    for number in range(count):
        made = await people.ask(
            owner, op="group_create", mid=f"group-{number}", name=f"group {number}"
        )
        convs.append(str(made["conv"]))
        for start in range(0, len(members), INVITED_AT_ONCE):
            uids = members[start : start + INVITED_AT_ONCE]
            await people.ask(owner, op="group_invite", conv=convs[-1], uids=uids)
    return convs


async def fill(
    cluster: Cluster, people: People, owner: str, convs: list[str], each: int, members: int
) -> dict[str, Any]:
    """Write `each` messages to every group at once; return how fast the rows came."""
    await _quiet(cluster)
    before, wanted = await _rows(cluster), len(convs) * each * members
    began = time.monotonic()
    async with trio.open_nursery() as nursery:
        for conv in convs:
            nursery.start_soon(_write, people, owner, conv, each)
    while (rows := await _rows(cluster) - before) < wanted:
        if time.monotonic() - began > LIMIT_S:
            raise click.ClickException(f"{rows:.0f} of {wanted} rows after {LIMIT_S:g} s")
        await trio.sleep(0.05)
    return {
        "mailbox_rows_per_s": round(rows / (time.monotonic() - began)),
        "group_members": members,
        "group_messages": len(convs) * each,
    }


async def _write(people: People, owner: str, conv: str, each: int) -> None:
    for number in range(each):
        await people.ask(owner, op="send", conv=conv, mid=f"m{number}", text=f"message {number}")


async def _quiet(cluster: Cluster) -> None:
    """Wait until what the making of groups left to diffuse is done."""
    rows = -1.0
    while (now := await _rows(cluster)) != rows:
        rows = now
        await trio.sleep(0.5)


async def _rows(cluster: Cluster) -> float:
    metrics = await cluster.metrics("logic")
    if ROWS not in metrics:
        raise click.ClickException(f"logic has no metric {ROWS}")
    return metrics[ROWS]
