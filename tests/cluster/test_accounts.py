"""Accounts on a real cluster, from docs/auth.md alone."""

import json
from itertools import count
from typing import Any

import trio

from tests.cluster.conftest import Cluster
from tests.cluster.independent_client import greeted

WITHIN_S = 3.0
"""A second is what it takes; the machine has other tests to run."""
_names = count(1)


async def ask(cluster: Cluster, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    raw = None if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    status = 503
    while status == 503:  # the database of a cluster that has just begun is being made
        status, answer = await cluster.http(method, f"/v1/auth/{path}", raw, **headers)
    return status, json.loads(answer)


async def test_a_life_of_an_account(cluster: Cluster) -> None:
    who = {"name": f"User-{next(_names)}", "password": "correct horse"}
    status, phone = await ask(cluster, "register", who | {"device": "phone"})
    assert (status, phone["name"]) == (200, who["name"])
    status, laptop = await ask(cluster, "login", who | {"device": "laptop"})
    assert (status, laptop["uid"]) == (200, phone["uid"])
    status, problem = await ask(cluster, "login", who | {"password": "wrong horse"})
    assert (status, problem["code"]) == (401, "wrong_password")

    urls = [cluster.access[0], cluster.access[-1]]
    async with (
        greeted(urls[0], phone["access_token"]) as on_phone,
        greeted(urls[1], laptop["access_token"]) as on_laptop,
    ):
        status, found = await ask(cluster, "logins", token=laptop["access_token"])
        assert [(row["device"], row["own"]) for row in found["logins"]] == [
            ("laptop", True),
            ("phone", False),
        ]
        # From the laptop, the phone is logged out; the laptop stays.
        token = laptop["access_token"]
        assert await ask(cluster, "logout", {"sid": phone["sid"]}, token) == (200, {})
        with trio.fail_after(WITHIN_S):
            await on_phone.closed.wait()
        assert (on_phone.code, on_laptop.closed.is_set()) == (4011, False)
        status, problem = await ask(cluster, "refresh", {"refresh_token": phone["refresh_token"]})
        assert (status, problem["code"]) == (401, "token_invalid")

        status, fresh = await ask(cluster, "refresh", {"refresh_token": laptop["refresh_token"]})
        assert (status, fresh["sid"]) == (200, laptop["sid"])
        answer = await on_laptop.request("refresh", token=fresh["access_token"])
        assert answer["expires_ms"] == fresh["access_expires_ms"]

        # What is good once is used twice: the laptop's login ends too.
        await ask(cluster, "refresh", {"refresh_token": fresh["refresh_token"]})
        status, problem = await ask(cluster, "refresh", {"refresh_token": laptop["refresh_token"]})
        assert (status, problem["code"]) == (401, "token_revoked")
        with trio.fail_after(WITHIN_S):
            await on_laptop.closed.wait()
        assert on_laptop.code == 4011
    # The gateway learns it by itself, as the access node has.
    status = 200
    with trio.move_on_after(WITHIN_S):
        while status == 200:
            status, problem = await ask(cluster, "logins", token=fresh["access_token"])
    assert (status, problem["code"]) == (401, "token_revoked")
