"""API keys as a back end meets them: over HTTP, from a file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from backends.errors import StoreUnavailableError
from backends.rate_limit.memory import MemoryRateLimit
from router.gateway.callers import Caller
from router.gateway.keys.api_key import ApiKey, digest, parse, token_of
from router.gateway.keys.file import entry, load_keys
from router.gateway.limits import CallLimits
from router.gateway.scopes import Scope
from tests.router.gateway_parts import LEASES, NOW_S, gateway, problem

SECRET = "5" * 64
OTHER_SECRET = "6" * 64


def key(key_id: str = "shop", secret: str = SECRET, **fields: object) -> ApiKey:
    defaults: dict[str, object] = {"scopes": (Scope.PUBLISH_ROOM,)}
    return ApiKey(id=key_id, sha256=digest(secret), **(defaults | fields))  # type: ignore[arg-type]


def bearer(key_id: str = "shop", secret: str = SECRET) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(key_id, secret)}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api-keys.toml"


async def test_a_key_does_what_its_scopes_say_and_nothing_else(file: Path) -> None:
    file.write_text(entry(key()) + entry(key("ops", OTHER_SECRET, scopes=(Scope.OPERATE,))))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        said = await it.push("/v1/rooms/lobby/publish", {"data": 1}, headers=bearer())
        assert said.status_code == 200
        assert it.mesh.requests[0][3]["uid"] == "api-key:shop"
        assert it.mesh.requests[0][3]["role"] == "server"
        refused = await it.push("/v1/users/ann/publish", {"data": 1}, headers=bearer())
        assert problem(refused) == (403, "forbidden", "authorization")
        assert "publish:user" in refused.json()["detail"]
        drained = await it.push("/v1/nodes/relay-1/drain", None, headers=bearer())
        assert problem(drained)[0] == 403
        operator = bearer("ops", OTHER_SECRET)
        assert (await it.push("/v1/nodes/relay-1/drain", None, headers=operator)).is_success
        assert len(it.mesh.requests) == 1


@pytest.mark.parametrize(
    "token",
    [
        token_of("shop", OTHER_SECRET),
        token_of("nobody", SECRET),
        token_of("nobody", ""),
        "rmk_",
        "rmk_shop",
        "rmk_shop_short",
        f"rmk_SHOP_{SECRET}",
    ],
)
async def test_what_is_no_key_is_refused_in_the_same_words(file: Path, token: str) -> None:
    file.write_text(entry(key()))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        headers = {"Authorization": f"Bearer {token}"}
        refused = await it.push("/v1/rooms/lobby/publish", {"data": 1}, headers=headers)
        assert problem(refused) == (401, "token_invalid", "authorization")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "That is no API key of this cluster's." in refused.json()["detail"]
        assert SECRET not in refused.text
        assert OTHER_SECRET not in refused.text


async def test_a_key_expires(file: Path) -> None:
    now = datetime.fromtimestamp(NOW_S, UTC)
    file.write_text(
        entry(key(expires=now)) + entry(key("new", expires=now.replace(year=now.year + 1)))
    )
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        body = {"data": 1}
        late = await it.push("/v1/rooms/lobby/publish", body, headers=bearer())
        assert problem(late) == (401, "token_expired", "authorization")
        assert (await it.push("/v1/rooms/lobby/publish", body, headers=bearer("new"))).is_success


async def test_a_key_is_for_the_rooms_and_users_that_match(file: Path) -> None:
    scopes = (Scope.PUBLISH_ROOM, Scope.PUBLISH_USER, Scope.PUBLISH_ALL, Scope.READ_PRESENCE)
    file.write_text(entry(key(scopes=scopes, rooms=("shop-*", "lobby"), users=("shop.*",))))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:

        async def ask(path: str, **fields: object) -> tuple[int, str, str]:
            answer = await it.push(path, {"data": 1} | fields, headers=bearer())
            return (200, "", "") if answer.is_success else problem(answer)

        assert (await ask("/v1/rooms/shop-1/publish"))[0] == 200
        assert (await ask("/v1/rooms/lobby/publish"))[0] == 200
        assert await ask("/v1/rooms/lobby2/publish") == (403, "forbidden", "room")
        assert (await ask("/v1/users/shop.ann/publish"))[0] == 200
        assert await ask("/v1/users/ann/publish") == (403, "forbidden", "uid")
        assert await ask("/v1/users/publish", uids=["shop.a", "b"]) == (403, "forbidden", "uids")
        assert await ask("/v1/broadcast") == (403, "forbidden", "authorization")


async def test_a_key_for_some_rooms_reads_no_groups(file: Path) -> None:
    scopes, path = (Scope.READ_HISTORY,), "/v1/groups/g:5f0c9a1b2d3e4f50/messages"
    file.write_text(
        entry(key(scopes=scopes, rooms=("shop-*",)))
        + entry(key("all", OTHER_SECRET, scopes=scopes, rooms=("shop-*", "g:*")))
    )
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        refused = await it.client.get(path, headers=bearer())
        assert problem(refused) == (403, "forbidden", "room")
        assert it.mesh.requests == []
        assert (await it.client.get(path, headers=bearer("all", OTHER_SECRET))).is_success


async def test_a_key_for_some_users_revokes_none_of_the_logins_of_others(file: Path) -> None:
    file.write_text(
        entry(key(scopes=(Scope.REVOKE,), users=("shop.*",)))
        + entry(key("all", OTHER_SECRET, scopes=(Scope.REVOKE,)))
    )
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        path = "/v1/logins/u-1.5f/revoke"
        refused = await it.client.post(path, headers=bearer())
        assert problem(refused) == (403, "forbidden", "authorization")
        assert it.mesh.requests == []
        assert (await it.client.post(path, headers=bearer("all", OTHER_SECRET))).is_success
        own = await it.client.post("/v1/users/shop.ann/revoke", headers=bearer())
        assert own.is_success


@pytest.mark.parametrize("name", ["logout", "logout-everywhere", "password"])
async def test_a_key_is_no_user_with_an_account(file: Path, name: str) -> None:
    file.write_text(entry(key()))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        body = {"password": "a", "new_password": "b"} if name == "password" else {}
        refused = await it.push(f"/v1/auth/{name}", body, headers=bearer())
        assert problem(refused) == (403, "forbidden", "authorization")
        assert it.mesh.requests == []


async def test_each_key_has_a_rate_of_its_own(file: Path, autojump_clock: object) -> None:
    file.write_text(entry(key(per_s=1, burst=2)) + entry(key("two", per_s=1, burst=2)))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:

        async def publish(name: str) -> object:
            return await it.push("/v1/rooms/a/publish", {"data": 1}, headers=bearer(name))

        answers = [await publish("shop") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]  # type: ignore[attr-defined]
        assert problem(answers[2]) == (429, "rate_limited", "")  # type: ignore[arg-type]
        assert answers[2].headers["retry-after"] == "1"  # type: ignore[attr-defined]
        assert it.counters.limited == 1
        assert (await publish("two")).is_success  # type: ignore[attr-defined]


async def test_a_store_that_is_away_lets_calls_pass_and_is_told_of_once() -> None:
    class Away(MemoryRateLimit):
        async def take(self, key: str) -> int:
            raise StoreUnavailableError(f"away for {key}")

    limits = CallLimits(lambda rate: Away(rate, lambda: 0))
    with capture_logs() as logs:
        for _ in range(3):
            await limits.take(Caller.of_key(key()))
    assert [each["event"] for each in logs] == ["call_limit_unknown"]


async def test_keys_change_while_requests_go_on(file: Path) -> None:
    file.write_text(entry(key()))
    async with gateway(*LEASES, api_keys_file=str(file)) as it:
        file.write_text(entry(key("new", OTHER_SECRET)))
        it.gateway.reconfigured(it.settings)
        body, path = {"data": 1}, "/v1/rooms/lobby/publish"
        assert (await it.push(path, body, headers=bearer())).status_code == 401
        assert (await it.push(path, body, headers=bearer("new", OTHER_SECRET))).is_success
        file.write_text("[[keys]]\nid = 7")
        with pytest.raises(ValueError, match="keys"):
            it.gateway.reconfigured(it.settings)
        assert (await it.push(path, body, headers=bearer("new", OTHER_SECRET))).is_success


BAD_FILES = {
    "no TOML": ("[[keys]\n", "line 1"),
    "no such field": ('[[keys]]\nid = "a"\nscope = []\n', "scope"),
    "no such scope": (entry(key()).replace("publish:room", "publish:rooms"), "publish:rooms"),
    "no scope": (entry(key()).replace('["publish:room"]', "[]"), "scopes"),
    "a secret instead of its digest": (entry(key()).replace(digest(SECRET), "secret"), "sha256"),
    "no id": (entry(key()).replace('"shop"', '"SHOP"'), "id"),
    "a rate of nothing": (entry(key()).replace("per_s = 100.0", "per_s = 0"), "per_s"),
    "a pattern of no room": (entry(key()).replace('rooms = ["*"]', 'rooms = ["a b"]'), "rooms"),
    "the same id twice": (entry(key()) * 2, "shop is there twice"),
}


@pytest.mark.parametrize("name", list(BAD_FILES))
def test_a_file_that_is_of_no_use_is_refused_by_name(file: Path, name: str) -> None:
    text, expected = BAD_FILES[name]
    file.write_text(text)
    with pytest.raises(ValueError, match=r"gateway\.api_keys_file") as caught:
        load_keys(str(file))
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_refused_and_none_means_no_keys(file: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        load_keys(str(file))
    assert load_keys("") == []


@given(
    note=st.text(max_size=200).filter(lambda text: "\x7f" not in text),
    per_s=st.floats(min_value=0.001, max_value=100_000),
    scopes=st.lists(st.sampled_from(Scope), min_size=1, unique=True),
    expires=st.none() | st.datetimes(timezones=st.just(UTC)),
)
def test_an_entry_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    note: str,
    per_s: float,
    scopes: list[Scope],
    expires: datetime | None,
) -> None:
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    written = key(note=note, per_s=per_s, scopes=tuple(scopes), expires=expires)
    file.write_text(entry(written), encoding="utf-8")
    assert load_keys(str(file)) == [written]


@given(st.text(max_size=80))
def test_only_what_has_three_parts_is_a_token(text: str) -> None:
    found = parse(text)
    assert found is None or token_of(*found) == text


def test_a_key_reaches_no_further_than_its_scopes() -> None:
    caller = Caller.of_key(key(scopes=(Scope.KICK, Scope.READ_ROOM)))
    assert caller.scopes == {Scope.KICK, Scope.READ_ROOM}
