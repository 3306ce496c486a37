"""Moderation over the nodes of a real cluster, by a client that knows the document alone."""

import time
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Connection, RefusedError, greeted

KNOWN_S = 1.5
"""After which nodes have told of the hosts and moderators among their members."""
WITHIN_S = 5.0
"""A second is what is promised (docs/moderation.md); the machine that tests may be busy."""


async def cast(cluster: Cluster, stack: AsyncExitStack, room: str) -> tuple[Connection, ...]:
    """Mo, who moderates, on the first node; Ann, Bob and Hans, the host, on the second."""

    async def come(uid: str, node: int, **claims: Any) -> Connection:
        token = cluster.token(uid, **claims)
        return await stack.enter_async_context(greeted(cluster.access[node], token, room))

    return (
        await come("mo", 0, mod=[room]),
        await come("ann", 1),
        await come("bob", 1),
        await come("hans", 1, host=[room]),
    )


async def refused(request: Any) -> tuple[str, str]:
    with pytest.raises(RefusedError) as caught:
        await request
    return caught.value.code, caught.value.field


async def test_who_is_banned_goes_at_once_and_stays_out(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        mo, ann, bob, _ = await cast(cluster, stack, room)
        began = time.monotonic()
        ok = await mo.request(
            "moderate", room=room, action="ban", uid="ann", for_s=600, reason="spam"
        )
        assert set(ok) == {"room", "action", "uid", "until_ms", "epoch", "seq", "ts", "mid"}
        await ann.until(lambda: bool(ann.of("removed")))
        assert time.monotonic() - began < WITHIN_S
        assert ann.of("removed") == [
            {
                "push": "removed",
                "room": room,
                "reason": "banned",
                "until_ms": ok["until_ms"],
                "message": "spam",
            }
        ]
        assert await refused(ann.request("chat", room=room, text="x")) == ("not_joined", "room")
        await bob.until(lambda: bool(bob.of("moderation")))
        (told,) = bob.of("moderation")
        assert (told["action"], told["uid"], told["by"]) == ("ban", "ann", "mo")
        assert (told["priority"], told["seq"]) == ("urgent", ok["seq"])
        for node in cluster.access:
            again = greeted(node, cluster.token("ann"))
            async with again as client:
                assert await refused(client.request("join", room=room)) == ("banned", "room")
        await mo.request("moderate", room=room, action="unban", uid="ann")
        await bob.until(lambda: len(bob.of("moderation")) == 2)
        assert (await ann.request("join", room=room))["room"] == room


async def test_who_is_kicked_may_come_back(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        mo, ann, bob, _ = await cast(cluster, stack, room)
        await mo.request("moderate", room=room, action="kick", uid="ann")
        await ann.until(lambda: bool(ann.of("removed")))
        assert [push["reason"] for push in ann.of("removed")] == ["kicked"]
        assert (await ann.request("join", room=room))["role"] == "viewer"
        await ann.request("chat", room=room, text="back")
        await bob.until(lambda: [push["text"] for push in bob.of("chat")] == ["back"])


async def test_mutes_and_slow_mode_hold_on_every_node(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        mo, ann, bob, hans = await cast(cluster, stack, room)
        await mo.request("moderate", room=room, action="mute", uid="ann", for_s=600)
        await ann.until(lambda: bool(ann.of("moderation")))
        for request in (
            ann.request("chat", room=room, text="x"),
            ann.request("gift", **cluster.paid("ann", room, gift="rose", value=1)),
            ann.request("like", room=room),
        ):
            assert await refused(request) == ("muted", "room")
        await mo.request("moderate", room=room, action="slow", interval_s=600)
        await bob.request("chat", room=room, text="once")
        assert await refused(bob.request("chat", room=room, text="twice")) == (
            "rate_limited",
            "room",
        )
        for exempt in (mo, hans):
            for _ in range(2):
                await exempt.request("chat", room=room, text="x")


async def test_nobody_does_more_than_its_role_permits(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        mo, ann, bob, hans = await cast(cluster, stack, room)
        kick = {"room": room, "action": "kick"}
        grant = {"room": room, "action": "grant", "uid": "bob", "role": "moderator"}
        assert await refused(ann.request("moderate", **kick, uid="bob")) == ("forbidden", "action")
        assert await refused(mo.request("moderate", **grant)) == ("forbidden", "action")
        assert await refused(mo.request("speech", room=room, text="x")) == ("forbidden", "op")
        await hans.request("moderate", **grant)
        await bob.until(lambda: bool(bob.of("moderation")))
        assert await refused(mo.request("moderate", **kick, uid="bob")) == ("forbidden", "uid")
        await bob.request("moderate", **kick, uid="ann")
        await ann.until(lambda: bool(ann.of("removed")))
        await hans.request("moderate", room=room, action="revoke_role", uid="bob")
        assert await refused(bob.request("moderate", **kick, uid="ann")) == ("forbidden", "action")


@pytest.mark.cluster_long
async def test_who_is_host_by_its_token_is_known_soon(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        mo, _, _, hans = await cast(cluster, stack, room)
        await trio.sleep(KNOWN_S)
        kick = mo.request("moderate", room=room, action="kick", uid="hans")
        assert await refused(kick) == ("forbidden", "uid")
        assert not hans.of("moderation")


async def test_a_receipt_buys_one_gift(cluster: Cluster, room: str) -> None:
    async with AsyncExitStack() as stack:
        _, ann, bob, _ = await cast(cluster, stack, room)
        paid = cluster.paid("ann", room, gift="rose", value=5)
        first = await ann.request("gift", **paid, mid="m-1")
        assert await ann.request("gift", **paid, mid="m-1") == first
        for request, expected in (
            (ann.request("gift", **paid, mid="m-2"), ("receipt_used", "receipt")),
            (bob.request("gift", **paid), ("receipt_invalid", "receipt.sub")),
            (ann.request("gift", **paid | {"value": 5000}), ("receipt_invalid", "receipt.value")),
            (
                ann.request("gift", room=room, gift="rose", value=5),
                ("receipt_invalid", "receipt"),
            ),
        ):
            assert await refused(request) == expected
        await bob.until(lambda: len(bob.of("gift")) == 1)
