"""What back ends do with groups, and what they say there and to users."""

import json
from typing import Any

import pytest

from proto.client_requests import parse_im
from proto.services import Method
from router.gateway.keys.file import entry
from router.gateway.scopes import Scope
from tests.router.gateway.test_api_keys import bearer, key
from tests.router.gateway_parts import LEASES, Gateway, gateway, problem, token

SERVER = token("server", sub="shop", name="The shop")


def asked(it: Gateway) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what logic was asked, and by whom; logic must be able to read it."""
    ((method, _, body, rest),) = it.mesh.requests
    assert (method, rest["role"], rest["repeatable"]) == (Method.IM, "server", True)
    parse_im(body)
    return json.loads(body), rest


ASKED: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "invite": (
        "POST",
        "/v1/groups/g:1/invite",
        {"uids": ["ann"]},
        {"op": "group_invite", "conv": "g:1", "uids": ["ann"]},
    ),
    "kick": (
        "POST",
        "/v1/groups/g:1/kick",
        {"uids": ["ann"]},
        {"op": "group_kick", "conv": "g:1", "uids": ["ann"]},
    ),
    "dissolve": (
        "POST",
        "/v1/groups/g:1/dissolve",
        None,
        {"op": "group_dissolve", "conv": "g:1"},
    ),
    "info": ("GET", "/v1/groups/g:1", None, {"op": "group_info", "conv": "g:1"}),
    "members": (
        "GET",
        "/v1/groups/g:1/members?limit=5&cursor=x",
        None,
        {"op": "group_members", "conv": "g:1", "limit": 5, "cursor": "x"},
    ),
    "history": (
        "GET",
        "/v1/groups/g:1/messages?after=5&limit=2",
        None,
        {"op": "history", "conv": "g:1", "before": 0, "after": 5, "limit": 2},
    ),
    "say in a group": (
        "POST",
        "/v1/groups/g:1/messages",
        {"text": "hi", "mid": "m1"},
        {"op": "send", "conv": "g:1", "mid": "m1", "text": "hi"},
    ),
    "say to a user": (
        "POST",
        "/v1/users/ann/messages",
        {"data": {"paid": 1}, "mid": "m1"},
        {"op": "send", "conv": "s:ann", "mid": "m1", "text": "", "data": {"paid": 1}},
    ),
}


@pytest.mark.parametrize("name", list(ASKED))
async def test_each_operation_asks_logic_as_a_back_end(name: str) -> None:
    method, path, body, expected = ASKED[name]
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: b'{"conv":"g:1"}'
        answer = await it.client.request(method, path, json=body, headers=SERVER)
        assert (answer.status_code, answer.json()) == (200, {"conv": "g:1"})
        request, rest = asked(it)
        assert request == {"id": 0} | expected
        assert (rest["uid"], rest["name"]) == ("shop", "The shop")


async def test_a_group_is_made_in_its_owners_name() -> None:
    async with gateway(*LEASES) as it:
        body = {"owner": "ann", "name": "Team", "members": ["bob"], "mid": "m1"}
        assert (await it.push("/v1/groups", body, headers=SERVER)).is_success
        request, rest = asked(it)
        assert rest["uid"] == "ann"
        assert (request["name"], request["members"], request["mid"]) == ("Team", ["bob"], "m1")


async def test_a_message_has_a_sender_and_an_id_of_its_own() -> None:
    async with gateway(*LEASES) as it:
        headers = SERVER | {"Idempotency-Key": "k1"}
        body = {"text": "hi", "name": "Support"}
        assert (await it.push("/v1/users/ann/messages", body, headers=headers)).is_success
        request, rest = asked(it)
        assert (rest["name"], len(request["mid"])) == ("Support", 32)


BAD = {
    "no such group": ("/v1/groups/ann/invite", {"uids": ["ann"]}, "group"),
    "nobody": ("/v1/groups/g:1/invite", {"uids": []}, "uids"),
    "too many": ("/v1/groups/g:1/kick", {"uids": ["a"] * 201}, "uids"),
    "no user": ("/v1/groups/g:1/kick", {"uids": ["a b"]}, "uids[0]"),
    "no owner": ("/v1/groups", {"name": "Team"}, "owner"),
    "no name": ("/v1/groups", {"owner": "ann", "name": ""}, "name"),
    "too much text": ("/v1/users/ann/messages", {"text": "x" * 4001}, "text"),
    "an unknown field": ("/v1/users/ann/messages", {"text": "x", "conv": "s:bob"}, "conv"),
}


@pytest.mark.parametrize("name", list(BAD))
async def test_bad_input_is_refused_by_name(name: str) -> None:
    path, body, field = BAD[name]
    async with gateway(*LEASES) as it:
        assert problem(await it.push(path, body)) == (400, "bad_frame", field)
        assert it.mesh.requests == []


async def test_a_key_for_some_users_reaches_no_others(tmp_path: Any) -> None:
    file = tmp_path / "keys.toml"
    scopes = (Scope.GROUPS, Scope.PUBLISH_USER)
    file.write_text(entry(key(scopes=scopes, users=("shop.*",))))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:

        async def ask(path: str, **body: Any) -> tuple[int, str]:
            answer = await it.push(path, body or None, headers=bearer())
            return (200, "") if answer.is_success else problem(answer)[::2]  # type: ignore[return-value]

        assert await ask("/v1/groups/g:1/invite", uids=["shop.a", "b"]) == (403, "uids")
        assert await ask("/v1/groups", owner="b", name="x") == (403, "owner")
        assert await ask("/v1/users/b/messages", text="x") == (403, "uid")
        assert await ask("/v1/groups/g:1/dissolve") == (403, "authorization")
        assert await ask("/v1/groups/g:1/messages", text="x") == (403, "authorization")
        assert it.mesh.requests == []
        assert await ask("/v1/groups/g:1/invite", uids=["shop.a"]) == (200, "")
