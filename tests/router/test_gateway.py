import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from backends.errors import StoreUnavailableError
from proto.errors import CATALOGUE, ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method, decode_push
from proto.token_keys import Keyring, hs256
from proto.tokens import verify
from router.gateway.bodies import MAX_BODY_BYTES, MAX_DATA_BYTES
from tests.router.gateway_parts import LEASES, NOW_S, SECRET, gateway, problem, token
from tests.router.parts import lease


async def test_connect_names_ready_nodes_least_loaded_first() -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.get("/v1/connect?room=lobby", headers=token())
        assert response.json() == {
            "endpoints": [
                {"url": "ws://access-2/v1", "node": "access-2"},
                {"url": "ws://access-1/v1", "node": "access-1"},
            ]
        }
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_connect_without_a_node_says_when_to_come_again() -> None:
    async with gateway(lease("access-1", ready=False)) as it:
        response = await it.client.get("/v1/connect?room=lobby", headers=token())
        assert problem(response) == (503, "unavailable", "")
        assert response.headers["retry-after"] == "1"


TOKENS = {
    "none": ({}, "token_invalid", "authorization"),
    "not bearer": ({"Authorization": "Basic eA=="}, "token_invalid", "authorization"),
    "garbage": ({"Authorization": "Bearer x.y.z"}, "token_invalid", "token"),
    "expired": (token(exp=int(NOW_S)), "token_expired", "token"),
    "another audience": (token(aud="else"), "token_invalid", "token"),
}


@pytest.mark.parametrize("name", list(TOKENS))
async def test_connect_refuses_a_bad_token(name: str) -> None:
    headers, code, field = TOKENS[name]
    async with gateway(*LEASES) as it:
        response = await it.client.get("/v1/connect?room=lobby", headers=headers)
        assert problem(response) == (401, code, field)
        assert response.headers["www-authenticate"] == "Bearer"


async def test_connect_refuses_what_is_no_room() -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.get("/v1/connect?room=two%20words", headers=token())
        assert problem(response) == (400, "bad_frame", "room")


async def test_a_push_to_a_room_goes_to_logic_with_its_data_unchanged() -> None:
    raw = b'{"data": {"a":  [1, 2.50], "\\u00e9": "\xc3\xa9"}, "priority": "urgent", "mid": "m-1"}'
    async with gateway(*LEASES) as it:
        response = await it.client.post(
            "/v1/rooms/lobby/publish", content=raw, headers=token("server", sub="shop")
        )
        assert (response.status_code, response.json()) == (200, {"mid": "m"})
        assert response.headers["x-trace-id"]
        ((method, priority, body, rest),) = it.mesh.requests
        push = decode_push(body)
        assert (method, priority) == (Method.PUSH, Priority.URGENT)
        assert push.data == b'{"a":  [1, 2.50], "\\u00e9": "\xc3\xa9"}'
        assert (push.room, push.mid, push.priority, push.uids) == ("lobby", "m-1", "urgent", [])
        assert (rest["room"], rest["uid"], rest["role"]) == ("lobby", "shop", "server")
        assert rest["repeatable"] is True


async def test_a_push_to_users_names_each_once_and_gets_an_id() -> None:
    async with gateway(*LEASES) as it:
        body = {"uids": ["ann", "bob", "ann"], "data": None}
        assert (await it.push("/v1/users/publish", body)).status_code == 200
        push = decode_push(it.mesh.requests[0][2])
        assert (push.uids, push.data, push.priority) == (["ann", "bob"], b"null", "normal")
        assert push.mid


async def test_a_push_to_one_user() -> None:
    async with gateway(*LEASES) as it:
        assert (await it.push("/v1/users/ann/publish", {"data": 1})).status_code == 200
        assert decode_push(it.mesh.requests[0][2]).uids == ["ann"]


async def test_ten_thousand_of_the_longest_uids_are_taken() -> None:
    uids = [f"{number:064d}" for number in range(10_000)]
    async with gateway(*LEASES) as it:
        assert (await it.push("/v1/users/publish", {"uids": uids, "data": 1})).status_code == 200
        assert decode_push(it.mesh.requests[0][2]).uids == uids


BAD_BODIES = {
    "not JSON": ("/v1/rooms/lobby/publish", b"{", 400, "bad_json", ""),
    "not UTF-8": ("/v1/rooms/lobby/publish", b'{"data": "\xff"}', 400, "bad_json", ""),
    "no object": ("/v1/rooms/lobby/publish", b"[]", 400, "bad_frame", ""),
    "no data": ("/v1/rooms/lobby/publish", b"{}", 400, "bad_frame", "data"),
    "unknown field": (
        "/v1/rooms/lobby/publish",
        b'{"data":1,"x":1}',
        400,
        "bad_frame",
        "x",
    ),
    "bad priority": (
        "/v1/rooms/lobby/publish",
        b'{"data":1,"priority":"gold"}',
        400,
        "bad_frame",
        "priority",
    ),
    "bad mid": ("/v1/rooms/lobby/publish", b'{"data":1,"mid":7}', 400, "bad_frame", "mid"),
    "bad room": ("/v1/rooms/a%20b/publish", b'{"data":1}', 400, "bad_frame", "room"),
    "bad uid": ("/v1/users/a%20b/publish", b'{"data":1}', 400, "bad_frame", "uid"),
    "bad uid in a list": (
        "/v1/users/publish",
        b'{"data":1,"uids":["ann","a b"]}',
        400,
        "bad_frame",
        "uids[1]",
    ),
    "nobody": ("/v1/users/publish", b'{"data":1,"uids":[]}', 400, "bad_frame", "uids"),
    "too many uids": (
        "/v1/users/publish",
        json.dumps({"data": 1, "uids": ["ann"] * 10_001}).encode(),
        400,
        "bad_frame",
        "uids",
    ),
    "too much data": (
        "/v1/rooms/lobby/publish",
        json.dumps({"data": "x" * MAX_DATA_BYTES}).encode(),
        413,
        "too_large",
        "data",
    ),
    "too large a body": (
        "/v1/rooms/lobby/publish",
        json.dumps({"data": "x" * MAX_BODY_BYTES}).encode(),
        413,
        "too_large",
        "",
    ),
}


@pytest.mark.parametrize("name", list(BAD_BODIES))
async def test_bad_input_is_refused_by_name(name: str) -> None:
    path, body, *expected = BAD_BODIES[name]
    async with gateway(*LEASES) as it:
        response = await it.client.post(path, content=body, headers=token("server"))
        assert problem(response) == tuple(expected)
        assert it.mesh.requests == []


async def test_a_body_of_no_stated_length_is_bounded_too() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 10_000

    async with gateway(*LEASES) as it:
        response = await it.client.post(
            "/v1/rooms/lobby/publish", content=endless(), headers=token("server")
        )
        assert problem(response) == (413, "too_large", "")


async def test_a_body_that_trickles_is_given_up(autojump_clock: object) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            await trio.sleep(1)
            yield b" "

    async with gateway(*LEASES) as it:
        response = await it.client.post(
            "/v1/rooms/lobby/publish", content=trickle(), headers=token("server")
        )
        assert problem(response) == (504, "timeout", "")


@pytest.mark.parametrize("path", ["rooms/lobby", "users/ann", "users"])
async def test_only_servers_publish(path: str) -> None:
    async with gateway(*LEASES) as it:
        response = await it.push(f"/v1/{path}/publish", {"data": 1}, headers=token(host=("lobby",)))
        assert problem(response) == (403, "forbidden", "authorization")
        assert it.mesh.requests == []


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_what_logic_answers_keeps_its_code_and_status(code: ErrorCode) -> None:
    def refuse() -> bytes:
        raise RequestError(code, retry_after_ms=1500)

    async with gateway(*LEASES) as it:
        it.mesh.answer = refuse
        response = await it.push("/v1/rooms/lobby/publish", {"data": 1})
        assert problem(response) == (CATALOGUE[code].http_status, code.value, "")
        assert response.headers["retry-after"] == "2"
        assert response.json()["retry_after_ms"] == 1500
        assert it.counters.pending == 0


async def test_more_than_may_wait_is_overloaded() -> None:
    async with gateway(*LEASES, max_pending=1) as it:
        it.counters.pending = 1
        response = await it.push("/v1/rooms/lobby/publish", {"data": 1})
        assert problem(response) == (503, "overloaded", "")
        assert it.counters.refused == 1


async def test_status_shows_nodes_and_the_connection_arithmetic() -> None:
    async with gateway(*LEASES) as it:
        status = (await it.client.get("/v1/status")).json()
        # Access 2 and 3 say nothing of their links: one to each of the two relays is assumed.
        assert status["links"] == {
            "held": 2 + 2 + 2 + 2 + 1,
            "lanes": 27,
            "full_mesh": 3,
            "wanted": 10,
            "relay_links": {"held": 0, "wanted": 0},
        }
        first = status["nodes"][0]
        assert (first["id"], first["role"], first["region"]) == ("access-1", "access", "local")
        assert (first["up"], first["connections"], first["rooms"]) == (True, 50, 3)
        assert (first["links"], first["lane_depths"]) == (2, {"urgent": 0})


async def test_status_may_be_closed_to_all_but_servers() -> None:
    async with gateway(*LEASES, open_status=False) as it:
        assert problem(await it.client.get("/v1/status", headers=token()))[0] == 403
        assert (await it.client.get("/v1/status", headers=token("server"))).status_code == 200


async def test_a_wrong_method_is_405_and_an_unknown_path_404() -> None:
    async with gateway(*LEASES) as it:
        wrong = await it.client.delete("/v1/status")
        assert problem(wrong) == (405, "unknown_op", "method")
        assert wrong.headers["allow"] == "GET"
        assert problem(await it.client.get("/v1/rooms/lobby/publish"))[0] == 405
        assert problem(await it.client.get("/v1/nothing")) == (404, "unknown_op", "path")


async def test_pages_of_allowed_origins_may_ask_where_to_connect() -> None:
    origin = {"Origin": "https://a.example"}
    preflight = origin | {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    async with gateway(*LEASES, allowed_origins=("https://a.example",)) as it:
        answer = await it.client.options("/v1/connect", headers=preflight)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        got = await it.client.get("/v1/connect?room=a", headers=origin | token())
        assert got.headers["access-control-allow-origin"] == "https://a.example"
        other = {"Origin": "https://b.example"}
        refused = await it.client.get("/v1/connect?room=a", headers=other | token())
        assert "access-control-allow-origin" not in refused.headers


async def test_demo_tokens_exist_only_in_a_demo() -> None:
    body = {"name": "Ann", "room": "lobby", "host": True}
    async with gateway(*LEASES) as it:
        assert problem(await it.client.post("/v1/demo/token", json=body))[0] == 404
    async with gateway(*LEASES, demo=True) as it:
        answer = (await it.client.post("/v1/demo/token", json=body)).json()
        claims = verify(answer["token"], Keyring([hs256(SECRET)]), NOW_S)
        assert (claims.sub, claims.name, claims.role) == (answer["uid"], "Ann", "viewer")
        assert (claims.role_in("lobby"), claims.role_in("other")) == ("host", "viewer")
        bad = await it.client.post("/v1/demo/token", json=body | {"room": "a b"})
        assert problem(bad) == (400, "bad_frame", "room")


async def test_a_demo_visitor_comes_back_under_a_uid_of_the_demo() -> None:
    async with gateway(*LEASES, demo=True) as it:
        body = {"name": "Ann", "uid": "demo-ann"}
        answer = (await it.client.post("/v1/demo/token", json=body)).json()
        assert (
            answer["uid"]
            == verify(answer["token"], Keyring([hs256(SECRET)]), NOW_S).sub
            == "demo-ann"
        )
        foreign = await it.client.post("/v1/demo/token", json=body | {"uid": "ann"})
        assert problem(foreign) == (400, "bad_frame", "uid")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "demo").mkdir()
    (tmp_path / "relaymesh").mkdir()
    (tmp_path / "relaymesh.js").write_text("export {}")
    (tmp_path / "relaymesh" / "client.js").write_text("export const client = 1")
    (tmp_path / "demo" / "index.html").write_text("<title>demo</title>")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path


async def test_the_demo_page_and_the_library_are_served(site: Path) -> None:
    async with gateway(*LEASES, pages=str(site)) as it:
        page = await it.client.get("/")
        assert (page.status_code, page.text) == (200, "<title>demo</title>")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"
        library = await it.client.get("/relaymesh.js")
        assert library.text == "export {}"
        assert library.headers["content-type"].startswith("text/javascript")
        module = await it.client.get("/relaymesh/client.js")
        assert module.text == "export const client = 1"
        assert "default-src 'none'" in module.headers["content-security-policy"]
        assert (await it.client.get("/v1/status")).status_code == 200


OUTSIDE = (
    "/secret.txt",
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/relaymesh/../secret.txt",
    "/x.js",
)


@pytest.mark.parametrize("path", OUTSIDE)
async def test_nothing_else_is_served(site: Path, path: str) -> None:
    async with gateway(*LEASES, pages=str(site)) as it:
        assert (await it.client.get(path)).status_code == 404


async def test_a_folder_without_the_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"relaymesh\.js is missing"):
        async with gateway(*LEASES, pages=str(tmp_path)):
            pass


async def test_a_back_end_has_a_node_drain() -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.post("/v1/nodes/relay-1/drain", headers=token("server"))
        assert response.json() == {"node": "relay-1", "incarnation": "i1"}
        assert it.registry.ordered == ["relay-1"]


@pytest.mark.parametrize(
    ("node", "role", "expected"),
    [
        ("relay-9", "server", (404, "not_found", "node")),
        ("Relay%201", "server", (400, "bad_frame", "node")),
        ("relay-1", "viewer", (403, "forbidden", "authorization")),
    ],
)
async def test_a_drain_that_can_not_be_is_refused(
    node: str, role: str, expected: tuple[int, str, str]
) -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.post(f"/v1/nodes/{node}/drain", headers=token(role))
        assert problem(response) == expected
        assert it.registry.ordered == []


async def test_without_the_store_a_drain_is_unavailable() -> None:
    async with gateway(*LEASES) as it:
        it.registry.failure = StoreUnavailableError("away")
        response = await it.client.post("/v1/nodes/relay-1/drain", headers=token("server"))
        assert problem(response) == (503, "unavailable", "")


async def test_what_nobody_foresaw_is_a_problem_too_and_says_nothing_of_what_it_was() -> None:
    def fails() -> bytes:
        raise ZeroDivisionError("secret")

    async with gateway(*LEASES) as it:
        it.mesh.answer = fails
        response = await it.push("/v1/rooms/lobby/publish", {"data": 1})
        assert problem(response) == (500, "unavailable", "")
        assert response.headers["content-type"] == "application/problem+json"
        assert "secret" not in response.text
        it.mesh.answer = lambda: b"{}"
        assert (await it.push("/v1/rooms/lobby/publish", {"data": 1})).status_code == 200
