"""Clients of instant messages that ask wrongly: each gets what the document says, and two friends
who write to each other meanwhile never notice."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import Connection, RefusedError, connected, greeted
from tests.cluster.independent_messenger import MAILBOX, acknowledge, direct, say
from tests.cluster.messengers import (
    befriend,
    device,
    friends,
    group_of,
    tag,
    unharmed_chat,
)

Case = tuple[str, dict[str, Any], str, str]
"""What is asked, with which fields; the code and the field of the error."""
BAD_FRAMES_ALLOWED = 15
"""Of one connection: below the limit, with which it would be closed."""
LINK = {"url": "https://example.org/x"}


@pytest.fixture(autouse=True)
async def chat(cluster: Cluster, room: str) -> AsyncIterator[None]:
    async with unharmed_chat(cluster, room):
        yield


async def found_wrong(cluster: Cluster, uid: str, cases: list[Case]) -> list[Any]:
    """Ask all that; returns the cases with another answer."""
    wrong = []
    for start in range(0, len(cases), BAD_FRAMES_ALLOWED):
        async with greeted(cluster.access[0], cluster.token(uid)) as connection:
            for op, fields, code, field in cases[start : start + BAD_FRAMES_ALLOWED]:
                found = await refusal(connection, op, fields)
                if found != (code, field):
                    wrong.append((op, str(fields)[:60], code, field, found))
            await connection.request("ping")
    return wrong


async def refusal(connection: Connection, op: str, fields: dict[str, Any]) -> tuple[str, str]:
    try:
        return "ok", str(await connection.request(op, **fields))
    except RefusedError as error:
        assert error.code != "muted" or error.retry_after_ms > 0
        return error.code, error.field


def sent(conv: str, code: str, field: str = "", **fields: Any) -> Case:
    return "send", {"conv": conv, "mid": "m", "text": "x"} | fields, code, field


async def test_messages_that_may_not_be_sent(cluster: Cluster, room: str) -> None:
    eve = device(cluster, room, "eve")
    async with (
        friends(cluster, room) as (ann, bob, ann_there, bob_there),
        eve.online(cluster.access[1]) as eve_there,
    ):
        for each in (ann, bob):
            where = ann_there if each is ann else bob_there
            await befriend(where, eve_there, each.uid, eve.uid)
        left, kicked, over, mute, mine = [
            await group_of(ann_there, f"{room}-{n}", bob.uid, eve.uid) for n in range(5)
        ]
        await bob_there.request("group_leave", conv=left)
        await ann_there.request("group_kick", conv=kicked, uids=[bob.uid])
        await ann_there.request("group_dissolve", conv=over)
        await ann_there.request("group_mute", conv=mute, uid=bob.uid, for_s=60)
        await eve_there.request("block", uid=bob.uid)
        chat = direct(ann.uid, bob.uid)
        wrong_order = f"d:{bob.uid}|{ann.uid}"
        cases = [
            sent(direct("a-stranger", bob.uid), "not_friends"),
            sent(direct(eve.uid, bob.uid), "not_friends"),
            *(sent(conv, "not_member") for conv in (left, kicked, over, "g:none")),
            sent(mute, "muted"),
            *(sent(f"s:{uid}", "forbidden") for uid in (bob.uid,)),
            sent(wrong_order, "bad_frame", "conv"),
            *(sent(conv, "bad_frame", "conv") for conv in ("", "x:1", "g:", "g:a b", 5, "d:a|a")),
            sent(chat, "bad_frame", "text", text="x" * 4001),
            sent(chat, "bad_frame", "text", text=5),
            sent(chat, "bad_frame", "data", text="", data={"x": "y" * 8192}),
            *(sent(chat, "bad_frame", "data", data=data) for data in ([1], "x", 5)),
            sent(chat, "bad_frame", "mentions", mentions=["u"] * 51),
            sent(chat, "bad_frame", "mentions[1]", mentions=["u", "a b"]),
            sent(chat, "bad_frame", "attachments", attachments=[LINK] * 11),
            sent(chat, "bad_frame", "attachments[1].url", attachments=[LINK, {"url": "ftp://x"}]),
            sent(chat, "bad_frame", "reply_to", reply_to=99),
            sent(mine, "bad_frame", "mention_all", mention_all=True),
            *(sent(chat, "bad_frame", "mid", mid=mid) for mid in ("", "a b", "m" * 65, 5, None)),
            sent(chat, "bad_frame", "more", more=1),
            ("send", {"conv": chat, "text": "x"}, "bad_frame", "mid"),
            ("send", {"conv": chat, "mid": "m"}, "bad_frame", "text"),
        ]
        assert await found_wrong(cluster, bob.uid, cases) == []
        assert (await bob_there.request("history", conv=chat))["head"] == 0


async def test_numbers_and_cursors_that_were_never_given(cluster: Cluster, room: str) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, bob_there):
        chat, group = direct(ann.uid, bob.uid), await group_of(ann_there, room, bob.uid)
        others = await group_of(ann_there, f"{room}-2")
        for n in range(3):
            await say(ann_there, chat, str(n))
        await bob.until_taken(chat, 3)
        cursor = (await bob_there.request("sessions", limit=1))["cursor"]
        assert cursor
        far, made_up = 2**53 - 1, ("x", "bm9uc2Vuc2U", cursor[:-2], cursor + "AAAA", "\u00e9", " ")
        cases: list[Case] = [
            *(("read", {"conv": chat, "seq": seq}, "bad_cursor", "") for seq in (4, far)),
            *(("history", {"conv": chat, "after": seq}, "bad_cursor", "") for seq in (4, far)),
            *(("history", {"conv": chat, "before": seq}, "bad_cursor", "") for seq in (9, far)),
            ("sync", {"stream": MAILBOX, "since": 999}, "bad_cursor", ""),
            ("sync", {"stream": MAILBOX, "since": far}, "bad_cursor", ""),
            ("sync", {"stream": f"hot:{group}", "since": far}, "bad_cursor", ""),
            ("sync", {"stream": f"hot:{others}", "since": 0}, "not_member", ""),
            ("sync", {"stream": "hot:g:none", "since": 0}, "not_member", ""),
            ("sync", {"stream": "lobby", "since": 0}, "bad_frame", "stream"),
            ("recall", {"conv": chat, "seq": 4}, "not_found", ""),
            ("recall", {"conv": chat, "seq": 1}, "forbidden", ""),
            *(("sessions", {"cursor": each}, "bad_cursor", "cursor") for each in made_up),
            *(("contacts", {"cursor": each}, "bad_cursor", "cursor") for each in made_up),
            *(
                ("group_members", {"conv": group, "cursor": each}, "bad_cursor", "cursor")
                for each in made_up
            ),
            ("history", {"conv": others}, "not_member", ""),
            ("read", {"conv": others, "seq": 1}, "not_member", ""),
            *(
                (op, fields | {"seq": seq}, "bad_frame", "seq")
                for op in ("read", "recall")
                for fields in ({"conv": chat},)
                for seq in (-1, 1.5, "1", 2**63, None)
            ),
            *(("sessions", {"limit": n}, "bad_frame", "limit") for n in (0, -1, 101, "5")),
            ("history", {"conv": chat, "limit": 101}, "bad_frame", "limit"),
            ("sync", {"stream": MAILBOX, "since": 0, "limit": 201}, "bad_frame", "limit"),
            ("sync", {"stream": MAILBOX, "since": -1}, "bad_frame", "since"),
            ("group_tag", {"conv": group, "hot": True}, "forbidden", ""),
        ]
        assert await found_wrong(cluster, bob.uid, cases) == []
        assert (await bob_there.request("sync", stream=MAILBOX, since=0))["frames"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"device": ""}, "im.device"),
        ({"device": "a b"}, "im.device"),
        ({"device": "d" * 65}, "im.device"),
        ({"device": 5}, "im.device"),
        ({}, "im.device"),
        ({"device": "d", "since": -1}, "im.since"),
        ({"device": "d", "since": "1"}, "im.since"),
        ({"device": "d", "hot": {f"g:{n}": 1 for n in range(201)}}, "im.hot"),
        ({"device": "d", "more": 1}, "im.more"),
    ],
)
async def test_a_bad_device_is_named_and_hello_may_be_said_again(
    cluster: Cluster, spec: dict[str, Any], field: str
) -> None:
    async with connected(cluster.access[0]) as connection:
        token = cluster.token("mallory")
        found = await refusal(connection, "hello", {"token": token, "im": spec})
        assert found == ("bad_frame", field)
        ok = await connection.request("hello", token=token, im={"device": "d"})
        assert ok["im"]["standing"] == "level"


async def test_positions_from_the_future_or_of_another_epoch_begin_anew(
    cluster: Cluster, room: str
) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, _):
        conv = direct(ann.uid, bob.uid)
        await say(ann_there, conv, "before")
        await bob.until_taken(conv, 1)
        for epoch, since in ((bob.epoch, 2**53 - 1), (bob.epoch, 99), ("made-up", 1)):
            lost = device(cluster, room, "bob", "lost")
            lost.epoch, lost.positions = epoch, {MAILBOX: since, f"hot:g:{room}": since}
            async with lost.online(cluster.access[1]):
                assert lost.welcome["standing"] == "reset"
                assert lost.welcome["start"] == lost.welcome["head"]
                last = await say(ann_there, conv, "after")
                await lost.until_taken(conv, last["seq"])
                assert lost.seqs(conv) == [last["seq"]]


async def test_acknowledging_what_was_never_sent(cluster: Cluster, room: str) -> None:
    async with friends(cluster, room) as (ann, bob, ann_there, bob_there):
        conv = direct(ann.uid, bob.uid)
        others = await group_of(ann_there, room)
        await tag(cluster, others, hot=True)
        await say(ann_there, conv, "one")
        await bob.until_taken(conv, 1)
        n = bob.positions[MAILBOX]
        cases: list[tuple[str, Any, dict[str, Any], str]] = [
            (MAILBOX, n + 1, {}, "n"),
            (MAILBOX, 2**53 - 1, {}, "n"),
            (MAILBOX, -1, {}, "n"),
            (MAILBOX, "1", {}, "n"),
            (MAILBOX, n, {"also": [[n + 2, n + 3]]}, "also[0]"),
            (MAILBOX, n, {"also": [[3, 2]]}, "also[0]"),
            (MAILBOX, n, {"also": [[n, n]] * 33}, "also"),
            (MAILBOX, n, {"also": [[n]]}, "also[0]"),
            (f"hot:{others}", 1, {}, "stream"),
            ("hot:g:none", 1, {}, "stream"),
            ("lobby", 1, {}, "stream"),
        ]
        for stream, number, more, field in cases:
            before = len(bob_there.stray)
            await acknowledge(bob_there, stream, number, **more)
            await bob_there.request("ping")
            (stray,) = bob_there.stray[before:]
            assert (stray["error"]["code"], stray["error"].get("field")) == ("bad_frame", field)
        last = await say(ann_there, conv, "two")
        await bob.until_taken(conv, last["seq"])


async def test_a_client_that_acknowledges_nonsense_is_sent_away(
    cluster: Cluster, room: str
) -> None:
    mallory = device(cluster, room, "mallory")
    async with mallory.online(cluster.access[0]) as there:
        for n in range(25):
            await acknowledge(there, MAILBOX, 1000 + n)
        assert await there.ended() == 4004


async def test_a_user_has_so_many_devices_at_a_node(cluster: Cluster, room: str) -> None:
    token = cluster.token(f"mallory-{room}")
    limit = 20

    async def come(number: int, connections: list[Connection]) -> None:
        if number == limit:
            for each in range(3):
                async with connected(cluster.access[0]) as more:
                    ok = await more.request("hello", token=token, im={"device": f"more-{each}"})
                    assert ok["im"]["error"]["code"] == "too_many_devices"
                    await more.request("ping")
            return
        async with connected(cluster.access[0]) as connection:
            ok = await connection.request("hello", token=token, im={"device": f"d{number}"})
            assert "error" not in ok["im"]
            await come(number + 1, [*connections, connection])

    await come(0, [])


@pytest.mark.parametrize(
    ("claims", "code", "close"),
    [
        ({"exp": int(time.time()) - 86_400}, "token_expired", 4002),
        ({"exp": 1}, "token_expired", 4002),
        ({"nbf": int(time.time()) + 86_400}, "token_invalid", 4001),
        ({"sub": "a|b"}, "token_invalid", 4001),
    ],
)
async def test_tokens_that_are_wrong_by_a_day(
    cluster: Cluster, claims: dict[str, Any], code: str, close: int
) -> None:
    async with connected(cluster.access[0]) as connection:
        token = cluster.token("mallory", **claims)
        found = await refusal(connection, "hello", {"token": token, "im": {"device": "d"}})
        assert found[0] == code
        assert await connection.ended() == close
