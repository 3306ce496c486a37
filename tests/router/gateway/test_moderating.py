"""How back ends moderate rooms."""

import json
from typing import Any

import pytest

from proto.moderation import decode_moderate, decode_state_body
from proto.priorities import Priority
from proto.services import Method
from tests.router.gateway_parts import LEASES, gateway, problem, token

SERVER = token("server", sub="shop")
PATH = "/v1/rooms/lobby/moderation"


async def test_a_mute_reaches_logic_as_a_moderators_request() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: b'{"room":"lobby"}'
        body = {"action": "mute", "uid": "ann", "for_s": 60, "reason": "spam"}
        answer = await it.push(PATH, body, headers=SERVER | {"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()) == (200, {"room": "lobby"})
        ((method, priority, raw, rest),) = it.mesh.requests
        assert (method, priority, rest["room"]) == (Method.MODERATE, Priority.URGENT, "lobby")
        assert (rest["uid"], rest["role"]) == ("shop", "server")
        asked = decode_moderate(raw)
        assert (asked.room, asked.action, asked.uid, asked.for_s) == ("lobby", "mute", "ann", 60)
        assert asked.mid is not None
        assert set(json.loads(raw)) == {
            *("op", "id", "room", "action", "uid", "for_s", "reason", "mid")
        }


async def test_what_holds_in_a_room_is_read_in_pages() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: b'{"room":"lobby","entries":[],"cursor":""}'
        answer = await it.client.get(f"{PATH}?limit=5&cursor=ban:ann", headers=SERVER)
        assert answer.json()["entries"] == []
        ((method, _, raw, _),) = it.mesh.requests
        body = decode_state_body(raw)
        assert (method, body.cursor, body.limit) == (Method.MODERATION, "ban:ann", 5)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "shout", "uid": "ann"}, "action"),
        ({"action": "mute", "uid": "a b"}, "uid"),
        ({"action": "mute", "uid": "ann", "for_s": -1}, "for_s"),
        ({"action": "slow", "interval_s": 0}, "interval_s"),
        ({"action": "grant", "uid": "ann", "role": "king"}, "role"),
        ({"action": "mute", "uid": "ann", "room": "den"}, "room"),
    ],
)
async def test_bad_input_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    async with gateway(*LEASES) as it:
        assert problem(await it.push(PATH, body)) == (400, "bad_frame", field)
        assert it.mesh.requests == []
