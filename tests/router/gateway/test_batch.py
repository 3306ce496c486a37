"""Many calls in one request."""

from typing import Any

import pytest
import trio

from proto.errors import ErrorCode, RequestError
from proto.services import Method, decode_push
from tests.router.gateway_parts import LEASES, Gateway, gateway, problem, token


def publishing(room: str = "lobby", **fields: Any) -> dict[str, Any]:
    body = fields.pop("body", {"data": 1})
    return {"method": "POST", "path": f"/v1/rooms/{room}/publish", "body": body, **fields}


async def ask(it: Gateway, *calls: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    headers = fields.pop("headers", token("server", sub="shop"))
    answer = await it.push("/v1/batch", {"calls": calls, **fields}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["answers"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("order", ["kept", "any"])
async def test_each_call_is_answered_by_itself_in_its_place(order: str) -> None:
    async with gateway(*LEASES) as it:
        answers = await ask(
            it,
            publishing(),
            publishing(body={"data": 1, "priority": "gold"}),
            publishing("a%20b"),
            {"method": "GET", "path": "/v1/status"},
            {"method": "GET", "path": "/v1/rooms/lobby/messages?limit=0"},
            {"method": "POST", "path": "/v1/nothing"},
            {"method": "DELETE", "path": "/v1/status"},
            {"method": "POST", "path": "/v1/batch", "body": {"calls": []}},
            {"method": "POST", "path": "/v1/auth/login", "body": {"name": "a", "password": "b"}},
            order=order,
        )
        assert [each["status"] for each in answers] == [200, 400, 400, 200, 400, 404, 404, 404, 404]
        assert answers[0]["body"] == {"mid": "m"}
        assert answers[1]["body"]["code"] == "bad_frame"
        assert [each["body"].get("field") for each in answers[1:3]] == ["priority", "room"]
        assert answers[3]["body"]["links"]
        assert answers[4]["body"]["field"] == "limit"
        assert answers[5]["body"]["code"] == "unknown_op"


async def test_where_the_order_is_kept_they_are_done_one_after_the_other(
    autojump_clock: object,
) -> None:
    async with gateway(*LEASES) as it:
        at_once: list[int] = []

        async def hold() -> None:
            at_once.append(it.counters.pending)
            await trio.sleep(1)

        it.mesh.before_answer = hold
        calls = [publishing(f"room-{number}") for number in range(30)]
        await ask(it, *calls, order="kept")
        assert at_once == [1] * 30
        rooms = [decode_push(body).room for _, _, body, _ in it.mesh.requests]
        assert rooms == [f"room-{number}" for number in range(30)]
        at_once.clear()
        await ask(it, *calls, order="any")
        assert max(at_once) == 16


async def test_limits_hold_for_each_call() -> None:
    async with gateway(*LEASES, max_pending=1) as it:
        it.counters.pending = 1
        (answer,) = await ask(it, publishing())
        assert (answer["status"], answer["body"]["code"]) == (503, "overloaded")


async def test_a_user_makes_no_hundred_calls_in_one_request_of_its_address() -> None:
    calls = [{"method": "GET", "path": f"/v1/{name}"} for name in ("connect", "auth/jwks.json")]
    async with gateway(*LEASES) as it:
        refused = await it.push("/v1/batch", {"calls": calls * 50}, headers=token())
        assert problem(refused) == (403, "forbidden", "authorization")
        assert it.mesh.requests == []


async def test_a_key_of_the_batch_is_one_for_each_call() -> None:
    async with gateway(*LEASES) as it:
        headers = token("server", sub="shop") | {"Idempotency-Key": "b1"}
        calls = [publishing(), publishing(), publishing(idempotency_key="own")]
        first = await ask(it, *calls, headers=headers)
        again = await ask(it, *calls, headers=headers)
        assert first == again
        assert len(it.mesh.requests) == 3
        changed = [publishing(), publishing(body={"data": 2}), calls[2]]
        answers = await ask(it, *changed, headers=headers)
        assert [each["status"] for each in answers] == [200, 409, 200]


async def test_one_call_that_fails_harms_no_other() -> None:
    def refuse() -> bytes:
        if it.mesh.requests[-1][0] is Method.PRESENCE:
            raise RequestError(ErrorCode.TIMEOUT)
        return b'{"mid":"m"}'

    async with gateway(*LEASES) as it:
        it.mesh.answer = refuse
        presence = {"method": "POST", "path": "/v1/presence", "body": {"uids": ["ann"]}}
        answers = await ask(it, publishing(), presence, publishing(), order="kept")
        assert [each["status"] for each in answers] == [200, 504, 200]
        assert it.counters.errors["timeout"] == 1


BAD = {
    "no calls": ({"calls": []}, "calls"),
    "too many calls": ({"calls": [publishing()] * 101}, "calls"),
    "no such order": ({"calls": [publishing()], "order": "some"}, "order"),
    "no path": ({"calls": [{"method": "GET"}]}, "calls[0].path"),
    "a path elsewhere": ({"calls": [{"method": "GET", "path": "/metrics"}]}, "calls[0].path"),
    "no such method": ({"calls": [publishing() | {"method": "PATCH"}]}, "calls[0].method"),
    "an unknown field": ({"calls": [publishing() | {"token": "x"}]}, "calls[0].token"),
}


@pytest.mark.parametrize("name", list(BAD))
async def test_a_batch_that_can_not_be_read_is_refused_whole(name: str) -> None:
    body, field = BAD[name]
    async with gateway(*LEASES) as it:
        assert problem(await it.push("/v1/batch", body)) == (400, "bad_frame", field)
        assert it.mesh.requests == []
