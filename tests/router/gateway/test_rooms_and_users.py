"""What back ends read of rooms and users, and how they send a user out or reach everybody."""

from typing import Any

import pytest

from proto.envelopes import Kind
from proto.headers import HeadsHeader, decode_kick
from proto.heat import HeatState, Rule
from proto.im_services import (
    DevicePresence,
    PresenceAnswer,
    UserPresence,
    decode_presence,
)
from proto.priorities import Priority
from proto.services import FetchAnswer, Method, decode_fetch, decode_push, encode
from tests.router.gateway_parts import LEASES, gateway, problem, token

SERVER = token("server", sub="shop")


async def test_a_room_is_shown_as_it_is_now() -> None:
    rule = Rule("lobby", HeatState.HOT, 7)
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: encode(HeadsHeader("e1", (3, 40, 5), 900, 12, rule))
        answer = await it.client.get("/v1/rooms/lobby", headers=SERVER)
        assert answer.json() == {
            "room": "lobby",
            "online": 12,
            "likes": 900,
            "heat": "hot",
            "epoch": "e1",
            "heads": {"urgent": 3, "normal": 40, "bulk": 5},
        }
        ((method, _, _, rest),) = it.mesh.requests
        assert (method, rest["room"]) == (Method.HEADS, "lobby")


def frames(*numbers: int) -> list[tuple[int, bytes]]:
    return [(number, b'{"seq":%d}' % number) for number in numbers]


async def test_history_begins_with_the_newest_and_goes_on_after_a_number() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: encode(FetchAnswer("e1", 9, 3, frames(8, 9)))
        path = "/v1/rooms/lobby/messages"
        newest = (await it.client.get(f"{path}?limit=2", headers=SERVER)).json()
        assert newest == {
            "room": "lobby",
            "priority": "normal",
            "epoch": "e1",
            "head": 9,
            "oldest": 3,
            "messages": [{"seq": 8}, {"seq": 9}],
            "next": None,
        }
        it.mesh.answer = lambda: encode(FetchAnswer("e1", 9, 3, frames(3, 4)))
        query = "priority=urgent&epoch=e1&after=2&limit=2"
        page = (await it.client.get(f"{path}?{query}", headers=SERVER)).json()
        assert (page["priority"], page["next"]) == ("urgent", 4)
        asked = [decode_fetch(body) for _, _, body, _ in it.mesh.requests]
        assert (asked[0].newest, asked[0].priority) == (2, Priority.NORMAL)
        assert (asked[1].first_seq, asked[1].last_seq, asked[1].epoch) == (3, 4, "e1")


async def test_a_page_below_what_the_log_has_leads_to_what_it_has() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: encode(FetchAnswer("e1", 90, 50, []))
        path = "/v1/rooms/lobby/messages?epoch=e1&after=2&limit=2"
        assert (await it.client.get(path, headers=SERVER)).json()["next"] == 49


async def test_a_position_of_another_epoch_is_refused() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: encode(FetchAnswer("e2", 9, 3, []))
        path = "/v1/rooms/lobby/messages?epoch=e1&after=2"
        assert problem(await it.client.get(path, headers=SERVER)) == (409, "bad_cursor", "epoch")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("priority=gold", "priority"),
        ("after=-1&epoch=e", "after"),
        ("after=3", "epoch"),
        ("since=3", "since"),
    ],
)
async def test_a_bad_query_is_refused_by_name(query: str, field: str) -> None:
    async with gateway(*LEASES) as it:
        answer = await it.client.get(f"/v1/rooms/lobby/messages?{query}", headers=SERVER)
        assert problem(answer) == (400, "bad_frame", field)
        assert it.mesh.requests == []


async def test_presence_tells_devices_and_when_they_were_heard() -> None:
    phone = DevicePresence("phone", True, 1_790_000_000_000)
    users = [UserPresence("ann", "online", [phone]), UserPresence("bob", "unknown", [])]
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: encode(PresenceAnswer(users))
        answer = await it.push("/v1/presence", {"uids": ["ann", "bob"]})
        assert answer.json() == {
            "users": [
                {
                    "uid": "ann",
                    "state": "online",
                    "devices": [{"device": "phone", "online": True, "seen_ms": 1_790_000_000_000}],
                },
                {"uid": "bob", "state": "unknown", "devices": []},
            ]
        }
        assert decode_presence(it.mesh.requests[0][2]).uids == ["ann", "bob"]


@pytest.mark.parametrize(
    ("uids", "field"), [([], "uids"), (["a b"], "uids[0]"), (["ann"] * 1001, "uids")]
)
async def test_presence_of_none_or_too_many_is_refused(uids: list[str], field: str) -> None:
    async with gateway(*LEASES) as it:
        assert problem(await it.push("/v1/presence", {"uids": uids})) == (400, "bad_frame", field)


async def test_a_kick_goes_out_over_every_relay() -> None:
    async with gateway(*LEASES) as it:
        body = {"device": "phone", "reason": "stolen"}
        answer = await it.push("/v1/users/ann/kick", body)
        assert answer.json() == {"uid": "ann", "device": "phone", "relays": 2}
        assert {(relay, lane) for relay, lane, _ in it.mesh.sent} == {
            ("relay-1", Priority.URGENT),
            ("relay-2", Priority.URGENT),
        }
        assert {each.kind for _, _, each in it.mesh.sent} == {Kind.KICK}
        headers = [decode_kick(each.header) for _, _, each in it.mesh.sent]
        assert headers[0] == headers[1]
        assert (headers[0].uid, headers[0].device, headers[0].reason) == ("ann", "phone", "stolen")


async def test_a_kick_goes_by_the_relays_that_are_left_and_by_none_is_unavailable() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.broken = {"relay-1"}
        assert (await it.push("/v1/users/ann/kick", {})).json()["relays"] == 1
        it.mesh.broken = {"relay-1", "relay-2"}
        assert problem(await it.push("/v1/users/ann/kick", {})) == (503, "unavailable", "")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"device": "a phone"}, "device"),
        ({"reason": "x" * 101}, "reason"),
        ({"reason": "ü"}, "reason"),
        ({"uid": "bob"}, "uid"),
    ],
)
async def test_a_bad_kick_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    async with gateway(*LEASES) as it:
        answer = await it.push("/v1/users/ann/kick", body)
        assert problem(answer) == (400, "bad_frame", field)
        assert it.mesh.sent == []


@pytest.mark.parametrize("priority", ["normal", "bulk", "urgent"])
async def test_everybody_is_told_once(priority: str) -> None:
    async with gateway(*LEASES) as it:
        body = {"data": {"sale": 1}, "priority": priority}
        assert (await it.push("/v1/broadcast", body)).is_success
        push = decode_push(it.mesh.requests[0][2])
        assert (push.everybody, push.room, push.uids, push.priority) == (True, "", [], priority)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/rooms/lobby"),
        ("GET", "/v1/rooms/lobby/messages"),
        ("POST", "/v1/presence"),
        ("POST", "/v1/users/ann/kick"),
        ("POST", "/v1/broadcast"),
    ],
)
async def test_a_viewer_may_none_of_this(method: str, path: str) -> None:
    async with gateway(*LEASES) as it:
        answer = await it.client.request(method, path, headers=token(host=("lobby",)))
        assert problem(answer) == (403, "forbidden", "authorization")
        assert (it.mesh.requests, it.mesh.sent) == ([], [])


async def test_an_answer_that_can_not_be_read_is_unavailable() -> None:
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: b"of another version"
        answer = await it.client.get("/v1/rooms/lobby", headers=SERVER)
        assert problem(answer) == (503, "unavailable", "")
