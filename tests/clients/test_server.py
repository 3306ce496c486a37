"""A back end's client, against the gateway itself."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from starlette.applications import Starlette

from proto.errors import ErrorCode, RequestError
from proto.headers import HeadsHeader
from proto.im_services import PresenceAnswer, UserPresence
from proto.services import FetchAnswer, Method, decode_fetch, decode_push, encode
from relaymesh_client.errors import Refused, Unanswered
from relaymesh_client.server import Server
from tests.router.gateway_parts import LEASES, Gateway, gateway, token


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Server, Gateway]]:
    async with gateway(*LEASES) as it:
        transport = httpx.ASGITransport(Starlette(routes=it.gateway.routes))
        key = token("server", sub="shop")["Authorization"].removeprefix("Bearer ")
        chance = random.Random(3)
        async with Server(
            "http://gateway", key, transport=transport, random=chance, **options
        ) as server:
            yield server, it


async def test_each_way_to_publish_reaches_logic() -> None:
    async with served() as (server, it):
        await server.publish("a", {"n": 1}, priority="urgent")
        await server.publish_to_users(["ann", "bob"], {"n": 2})
        await server.broadcast({"n": 3}, priority="bulk")
        pushes = [decode_push(body) for _, _, body, _ in it.mesh.requests]
        assert [(p.room, p.uids, p.everybody, p.priority) for p in pushes] == [
            ("a", [], False, "urgent"),
            ("", ["ann", "bob"], False, "normal"),
            ("", [], True, "bulk"),
        ]


async def test_a_change_is_sent_again_until_it_is_answered_and_done_once(
    autojump_clock: object,
) -> None:
    async with served() as (server, it):
        failures = [ErrorCode.OVERLOADED, ErrorCode.UNAVAILABLE, ErrorCode.TIMEOUT]
        good = it.mesh.answer

        def answer() -> bytes:
            if failures:
                raise RequestError(failures.pop(), retry_after_ms=2000)
            return good()

        it.mesh.answer = answer
        began = trio.current_time()
        assert await server.publish("lobby", 1) == {"mid": "m"}
        assert trio.current_time() - began >= 6
        mids = {decode_push(body).mid for _, _, body, _ in it.mesh.requests}
        assert (len(it.mesh.requests), len(mids)) == (4, 1)
        assert await server.publish("lobby", 1, idempotency_key="k") == {"mid": "m"}
        await server.publish("lobby", 1, idempotency_key="k")
        assert len(it.mesh.requests) == 5


async def test_an_error_that_stays_is_raised_at_once() -> None:
    async with served() as (server, it):
        with pytest.raises(Refused) as refused:
            await server.publish("no room", 1)
        assert (refused.value.code, refused.value.field) == ("bad_frame", "room")
        assert it.mesh.requests == []


async def test_a_gateway_that_is_away_is_given_up_after_some_attempts(
    autojump_clock: object,
) -> None:
    asked = 0

    def away(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        raise httpx.ConnectError("away", request=request)

    async with Server("http://gateway", "k", transport=httpx.MockTransport(away)) as server:
        with pytest.raises(Unanswered):
            await server.room("lobby")
    assert asked == 5


async def test_history_pages_through_all_that_there_is() -> None:
    def answer() -> bytes:
        asked = decode_fetch(it.mesh.requests[-1][2])
        if asked.newest:
            return encode(FetchAnswer("e1", 500, 101, [(500, b'{"seq":500}')]))
        first = max(asked.first_seq, 101)
        numbers = range(first, min(first + 150, 501))
        return encode(FetchAnswer("e1", 500, 101, [(n, b'{"seq":%d}' % n) for n in numbers]))

    async with served() as (server, it):
        it.mesh.answer = answer
        assert [each["seq"] async for each in server.history("lobby")] == list(range(101, 501))


async def test_rooms_users_and_moderation() -> None:
    async with served() as (server, it):
        it.mesh.answer = lambda: encode(HeadsHeader("e1", (1, 2, 3), 7, 5))
        assert (await server.room("lobby"))["online"] == 5
        it.mesh.answer = lambda: encode(PresenceAnswer([UserPresence("ann", "online", [])]))
        assert (await server.presence(["ann"]))["ann"]["state"] == "online"
        assert (await server.kick("ann", device="phone", reason="spam"))["relays"] == 2
        it.mesh.answer = lambda: b'{"room":"lobby"}'
        assert await server.moderate("lobby", "mute", uid="ann", for_s=60) == {"room": "lobby"}
        assert it.mesh.requests[-1][0] is Method.MODERATE
        await server.send("ann", "paid", name="Shop")
        assert it.mesh.requests[-1][3]["name"] == "Shop"


async def test_a_batch_has_an_answer_or_an_error_for_each_call() -> None:
    async with served() as (server, _):
        publish = ("POST", "/v1/rooms/lobby/publish")
        good, bad = await server.batch([(*publish, {"data": 1}), (*publish, {})], keep_order=True)
        assert good == {"mid": "m"}
        assert isinstance(bad, Refused)
        assert (bad.code, bad.field) == ("bad_frame", "data")
