"""Checks of a room over time: likes, members, history, fetch, resume."""

import trio

from ops.check.raw import Raw, raw
from ops.check.report import CheckFailedError, require
from ops.check.stage import Stage
from ops.check.visitor import visitor

LIKES_EACH = 123
SETTLE_S = 1.3
"""Over a second: another total would have come by then."""
MISSED = 5
HISTORY = 10


async def likes_are_counted_exactly(stage: Stage) -> str:
    """Likes from every node add up, and stay what they are."""
    expected = LIKES_EACH * len(stage.everybody)
    for each in stage.everybody:
        for _ in range(LIKES_EACH):
            each.client.like(stage.room)
    for each in stage.everybody:
        with trio.fail_after(8):
            await each.client.likes_confirmed(stage.room)
        await each.sees("likes", "total", expected)
    await trio.sleep(SETTLE_S)
    for each in stage.everybody:
        totals = [frame["total"] for frame in each.of("likes")]
        require(totals == sorted(totals), f"{each.node} showed totals that fall: {totals}")
        require(totals[-1] == expected, f"{each.node} shows {totals[-1]}, not {expected}")
    return f"{expected} likes from {len(stage.everybody)} clients"


async def online_counts_everybody(stage: Stage) -> str:
    """Every node shows how many are in the room on all nodes."""
    expected = len(stage.everybody)
    for each in stage.everybody:
        await each.sees("online", "online", expected)
    return f"{expected} on {len(stage.nodes)} nodes"


async def late_joiner_gets_history(stage: Stage) -> str:
    """Who joins late gets the newest messages first, in order."""
    node, url = next(iter(stage.nodes.items()))
    token = await stage.tokens.viewer("late", stage.room)
    seen = [push.frame for push in stage.host.pushes if push.priority == "normal"][-HISTORY:]
    async with visitor("late", node, url, token, stage.room, history=HISTORY) as late:
        await late.message(seen[-1]["mid"])
        got = [push.frame for push in late.pushes if push.priority == "normal"]
    require(got == seen, f"got {[f['seq'] for f in got]}, not {[f['seq'] for f in seen]}")
    return f"{len(got)} messages, seq {got[0]['seq']} to {got[-1]['seq']}"


async def fetch_repeats_the_stream(stage: Stage) -> str:
    """`fetch` on any node returns the very frames that were pushed."""
    pushed = [push.frame for push in stage.host.pushes if push.priority == "normal"][-HISTORY:]
    first, last = pushed[0]["seq"], pushed[-1]["seq"]
    for each in stage.viewers:
        epoch = pushed[0]["epoch"]
        answer = await each.client.fetch(stage.room, "normal", epoch, first, last)
        require(answer["frames"] == pushed, f"{each.node} answered {answer['frames']}")
    return f"seq {first} to {last} from {len(stage.viewers)} nodes"


async def resume_on_another_node(stage: Stage) -> str:
    """Who breaks off and comes back elsewhere misses nothing and gets nothing twice."""
    here, there = stage.far
    token = await stage.tokens.viewer("wanderer", stage.room)
    join: dict[str, object] = {"room": stage.room}
    async with raw(here.url) as connection:
        since = await _hello(connection, token, join)
    sent = [await here.client.chat(stage.room, f"missed {n}") for n in range(MISSED)]
    async with raw(there.url) as connection:
        await _hello(connection, token, {**join, "since": since})
        sent.append(await here.client.chat(stage.room, "live again"))
        got: list[str] = []
        while len(got) < len(sent):
            frame = await connection.next()
            require(frame.get("push") not in ("skipped", "reset"), f"was told {frame}")
            if frame.get("priority") == "normal":
                got.append(frame["mid"])
    require(got == [each.mid for each in sent], f"got {got}, sent were {[e.mid for e in sent]}")
    return f"left {here.node}, came back on {there.node}: {MISSED} missed, 1 live, each once"


async def _hello(connection: Raw, token: str, join: dict[str, object]) -> dict[str, object]:
    answer = await connection.reply({"op": "hello", "id": 1, "token": token, "join": [join]})
    if "ok" not in answer:
        raise CheckFailedError(f"hello was answered {answer}")
    room = next(iter(answer["ok"]["rooms"].values()))
    require("streams" in room, f"the join was answered {room}")
    streams: dict[str, object] = room["streams"]
    return streams
