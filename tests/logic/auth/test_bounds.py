"""What keeps guessing and crowds within bounds: argon2id's parameters, its queue, rates."""

from typing import Any

import pytest
import trio
import trio.testing

from backends.database.accounts import account_called
from backends.errors import StoreUnavailableError
from logic.auth.passwords import Passwords
from logic.auth.settings import AuthRates, PasswordSettings
from proto.errors import ErrorCode, RequestError
from tests.conftest import run_inline
from tests.logic.auth.conftest import ADDRESS, CHEAP, PASSWORD, Front


async def test_an_unknown_name_costs_a_hash_of_the_same_parameters() -> None:
    worked: list[object] = []

    async def counting(work: Any, *, limiter: trio.CapacityLimiter) -> Any:
        worked.append(work)
        return await run_inline(work, limiter=limiter)

    passwords = Passwords(CHEAP, counting)
    kept = await passwords.hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await passwords.verify(PASSWORD, kept)
    assert not await passwords.verify(PASSWORD, None)
    assert len(worked) == 3
    assert not passwords.is_outdated(kept)
    assert not passwords.is_outdated(worked[2].args[1])  # type: ignore[attr-defined]


async def test_a_login_hashes_anew_when_the_parameters_have_changed(make_front: Any) -> None:
    await make_front().register()
    front: Front = make_front(passwords=PasswordSettings(memory_kib=16, passes=1))
    await front.log_in()
    account = await front.database.read(lambda c: account_called(c, "ann"))
    assert account.password.startswith("$argon2id$v=19$m=16,t=1,p=1$")
    assert await front.log_in()


async def test_more_hashes_than_may_wait_are_overloaded_at_once() -> None:
    go = trio.Event()

    async def held(work: Any, *, limiter: trio.CapacityLimiter) -> Any:
        async with limiter:
            await go.wait()
        return work()

    passwords = Passwords(PasswordSettings(memory_kib=8, passes=1, at_once=1, waiting=1), held)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(passwords.hash, PASSWORD)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(RequestError) as caught:
            await passwords.hash(PASSWORD)
        body = caught.value.body
        assert (body.code, body.retry_after_ms) == (ErrorCode.OVERLOADED, 1000)
        assert (passwords.under_way, passwords.refused) == (2, 1)
        go.set()
    assert await passwords.hash(PASSWORD)


async def refusals(front: Front, *asked: tuple[str, dict[str, Any]]) -> list[str]:
    codes = []
    for kind, fields in asked:
        try:
            await front.ask(kind, **fields)
        except RequestError as error:
            codes.append(error.body.code.value)
        else:
            codes.append("ok")
    return codes


def login(name: str, address: str, password: str = "wrong horse") -> tuple[str, dict[str, Any]]:
    return "LogIn", {"name": name, "password": password, "address": address}


async def test_one_account_may_be_tried_so_often_from_anywhere(make_front: Any) -> None:
    rates = AuthRates(account_logins_per_min=1, account_logins_burst=3)
    front: Front = make_front(rates=rates)
    await front.register("Ann")
    tries = [login("ANN" if n % 2 else "ann", f"192.0.2.{n}") for n in range(4)]
    assert await refusals(front, *tries) == [*["wrong_password"] * 3, "rate_limited"]
    assert await refusals(front, login("Ann", "192.0.2.9", PASSWORD)) == ["rate_limited"]
    assert await refusals(front, login("Bob", "192.0.2.9")) == ["wrong_password"]
    front.pass_s(60)
    assert await refusals(front, login("Ann", "192.0.2.9", PASSWORD)) == ["ok"]


async def test_one_address_may_try_so_often_whomever_it_tries(make_front: Any) -> None:
    rates = AuthRates(address_logins_per_min=1, address_logins_burst=2)
    front: Front = make_front(rates=rates)
    network = [login(f"user-{n}", f"2001:db8::{n}") for n in range(3)]
    assert await refusals(front, *network) == ["wrong_password"] * 2 + ["rate_limited"]
    assert await refusals(front, login("user-1", "2001:db8:0:1::1")) == ["wrong_password"]


async def test_one_address_makes_so_many_accounts(make_front: Any) -> None:
    rates = AuthRates(registrations_per_hour=1, registrations_burst=2)
    front: Front = make_front(rates=rates)
    tries = [
        ("Register", {"name": f"user-{n}", "password": PASSWORD, "address": ADDRESS})
        for n in range(3)
    ]
    assert await refusals(front, *tries) == ["ok", "ok", "rate_limited"]


async def test_one_address_refreshes_so_often(make_front: Any) -> None:
    front: Front = make_front(rates=AuthRates(requests_per_min=1, requests_burst=2))
    tokens = await front.register()
    for _ in range(2):
        tokens = await front.refresh(tokens)
    refused = await front.refused("Refresh", refresh_token=tokens["refresh_token"])
    assert refused == ("rate_limited", "")


async def test_while_nobody_can_count_nobody_gets_in(front: Front) -> None:
    await front.register()
    front.store_away = True
    for ask in (front.log_in, lambda: front.register("Bob")):
        with pytest.raises(StoreUnavailableError):
            await ask()
