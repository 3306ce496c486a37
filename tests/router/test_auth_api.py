"""Accounts and revocation at the gateway: what reaches logic, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest

from proto.auth_services import Revocation, decode_auth, decode_revoke
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method
from tests.router.gateway_parts import LEASES, NOW_S, Gateway, gateway, problem, token

SID = "u-1.5f"
CREDENTIALS = {"name": "Ann", "password": "correct horse", "device": "phone"}


def own() -> dict[str, str]:
    return token(sub="u-1", sid=SID, iat=NOW_S)


def fields(it: Gateway) -> tuple[str, dict[str, Any], str]:
    """Return what logic was asked: the kind of request, its fields, and by whom."""
    ((method, priority, body, rest),) = it.mesh.requests
    assert (method, priority) == (Method.AUTH, Priority.NORMAL)
    asked = decode_auth(body)
    values = {name: getattr(asked, name) for name in asked.__struct_fields__}
    assert values.pop("address") == "127.0.0.1"
    return type(asked).__name__, values, rest.get("uid", "")


ASKED: dict[str, tuple[str, Any, bool, tuple[str, dict[str, Any], str]]] = {
    "register": ("POST", CREDENTIALS, False, ("Register", CREDENTIALS, "")),
    "login": ("POST", CREDENTIALS, False, ("LogIn", CREDENTIALS, "")),
    "refresh": (
        "POST",
        {"refresh_token": "ab"},
        False,
        ("Refresh", {"refresh_token": "ab"}, ""),
    ),
    "logout": ("POST", None, True, ("LogOut", {"sid": SID, "own_sid": SID}, "u-1")),
    "logout-everywhere": ("POST", None, True, ("LogOutEverywhere", {}, "u-1")),
    "logins": ("GET", None, True, ("ListLogins", {"sid": SID}, "u-1")),
    "password": (
        "POST",
        {"password": "a", "new_password": "b"},
        True,
        ("ChangePassword", {"sid": SID, "password": "a", "new_password": "b"}, "u-1"),
    ),
    "jwks.json": ("GET", None, False, ("PublicKeys", {}, "")),
}


@pytest.mark.parametrize("name", list(ASKED))
async def test_each_path_asks_logic_and_hands_its_answer_on(name: str) -> None:
    method, body, needs_token, expected = ASKED[name]
    async with gateway(*LEASES) as it:
        it.mesh.answer = lambda: b'{"uid":"u-1"}'
        path, headers = f"/v1/auth/{name}", own() if needs_token else {}
        response = await it.client.request(method, path, json=body, headers=headers)
        assert (response.status_code, response.json()) == (200, {"uid": "u-1"})
        assert response.headers["cache-control"] == "no-store"
        assert fields(it) == expected


async def test_another_login_of_ones_own_is_named() -> None:
    async with gateway(*LEASES) as it:
        await it.client.post("/v1/auth/logout", json={"sid": "u-1.77"}, headers=own())
        assert fields(it) == ("LogOut", {"sid": "u-1.77", "own_sid": SID}, "u-1")


@pytest.mark.parametrize("name", [name for name in ASKED if ASKED[name][2]])
async def test_what_is_ones_own_needs_a_token(name: str) -> None:
    method, body, _, _ = ASKED[name]
    async with gateway(*LEASES) as it:
        response = await it.client.request(method, f"/v1/auth/{name}", json=body)
        assert problem(response) == (401, "token_invalid", "authorization")
        assert it.mesh.requests == []


BAD: dict[str, tuple[str, Any, str]] = {
    "no password": ("login", {"name": "Ann"}, "password"),
    "an unknown field": ("register", CREDENTIALS | {"role": "server"}, "role"),
    "a number": ("login", CREDENTIALS | {"name": 7}, "name"),
    "too long": ("login", CREDENTIALS | {"password": "a" * 257}, "password"),
    "a bad device": ("login", CREDENTIALS | {"device": "a b"}, "device"),
    "no refresh token": ("refresh", {}, "refresh_token"),
    "a bad sid": ("logout", {"sid": "a b"}, "sid"),
}


@pytest.mark.parametrize("name", list(BAD))
async def test_a_bad_body_is_refused_by_name(name: str) -> None:
    path, body, field = BAD[name]
    async with gateway(*LEASES) as it:
        response = await it.client.post(f"/v1/auth/{path}", json=body, headers=own())
        assert problem(response) == (400, "bad_frame", field)
        assert it.mesh.requests == []


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.post("/v1/auth/login", content=b" " * 4097)
        assert problem(response) == (413, "too_large", "")


async def test_a_cluster_without_accounts_is_404() -> None:
    def none() -> bytes:
        raise RequestError(ErrorCode.NOT_FOUND, "no accounts", field="path")

    async with gateway(*LEASES) as it:
        it.mesh.answer = none
        response = await it.client.post("/v1/auth/login", json=CREDENTIALS)
        assert problem(response) == (404, "not_found", "path")


async def test_pages_of_other_origins_may_log_in() -> None:
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with gateway(*LEASES, allowed_origins=("https://app.example",)) as it:
        allowed = await it.client.options("/v1/auth/login", headers=headers)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        evil = headers | {"Origin": "https://evil.example"}
        refused = await it.client.options("/v1/auth/login", headers=evil)
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("path", "asked"), [("users/u-1", ("u-1", "")), (f"logins/{SID}", ("", SID))]
)
async def test_a_server_revokes(path: str, asked: tuple[str, str]) -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.post(f"/v1/{path}/revoke", headers=token("server"))
        assert response.status_code == 200
        ((method, priority, body, rest),) = it.mesh.requests
        assert (method, priority, rest["repeatable"]) == (Method.REVOKE, Priority.URGENT, True)
        revoke = decode_revoke(body)
        assert (revoke.uid, revoke.sid) == asked


@pytest.mark.parametrize("path", ["users/u-1", f"logins/{SID}"])
async def test_nobody_else_revokes(path: str) -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.post(f"/v1/{path}/revoke", headers=own())
        assert problem(response) == (403, "forbidden", "authorization")
        assert it.mesh.requests == []


@pytest.mark.parametrize(("path", "field"), [("users/a%20b", "uid"), ("logins/a%20b", "sid")])
async def test_what_can_be_none_is_not_revoked(path: str, field: str) -> None:
    async with gateway(*LEASES) as it:
        response = await it.client.post(f"/v1/{path}/revoke", headers=token("server"))
        assert problem(response) == (400, "bad_frame", field)


def _of_user() -> Revocation:
    return Revocation("u-1", "", int(NOW_S * 1000), int(NOW_S * 1000) + 9)


def _of_login() -> Revocation:
    return Revocation("u-1", SID, 0, int(NOW_S * 1000) + 9)


@pytest.mark.parametrize("revocation", [_of_user, _of_login])
async def test_a_revoked_token_is_refused_on_every_path(
    revocation: Callable[[], Revocation],
) -> None:
    async with gateway(*LEASES) as it:
        assert (await it.client.get("/v1/connect", headers=own())).status_code == 200
        it.revoked.learn([revocation()], int(NOW_S * 1000))
        for path in ("connect", "auth/logins"):
            response = await it.client.get(f"/v1/{path}", headers=own())
            assert problem(response) == (401, "token_revoked", "token")
        later = token(sub="u-1", sid="u-1.77", iat=NOW_S + 1)
        assert (await it.client.get("/v1/connect", headers=later)).status_code == 200
