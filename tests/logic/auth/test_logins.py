"""Accounts and logins as the gateway asks for them, on both databases."""

from typing import Any

import pytest
from sqlalchemy import func, select

from backends.database.logins import remove_logins
from backends.database.schema import accounts, logins
from backends.errors import StoreUnavailableError
from tests.logic.auth.conftest import PASSWORD, Front


async def rows(front: Front, table: Any) -> int:
    return await front.database.read(  # type: ignore[no-any-return]
        lambda c: c.scalar(select(func.count()).select_from(table))
    )


async def test_who_registers_is_logged_in_with_a_token_that_nodes_believe(front: Front) -> None:
    tokens = await front.register(device="phone")
    claims = front.claims(tokens)
    assert (claims.sub, claims.sid, claims.name) == (tokens["uid"], tokens["sid"], "Ann")
    assert (claims.role, claims.iss, claims.iat) == ("viewer", "relaymesh", front.now_ms / 1000)
    assert claims.exp * 1000 == tokens["access_expires_ms"] == front.now_ms + 900_000
    assert tokens["access_token_s"] == 900
    assert tokens["uid"].startswith("u-")
    ((row,),) = (await front.ask("ListLogins", tokens["uid"], sid=tokens["sid"])).values()
    assert row == {
        "sid": tokens["sid"],
        "device": "phone",
        "created_ms": front.now_ms,
        "seen_ms": front.now_ms,
        "own": True,
    }


async def test_a_name_is_taken_whatever_its_case(front: Front) -> None:
    await front.register("Ann")
    refused = await front.refused("Register", name="aNN", password=PASSWORD)
    assert refused == ("conflict", "name")
    assert await rows(front, accounts) == 1
    assert (await front.log_in("ANN"))["name"] == "Ann"


BAD = {
    "short name": ({"name": "ab"}, "name"),
    "long name": ({"name": "a" * 33}, "name"),
    "name of another alphabet": ({"name": "аnn"}, "name"),
    "name with a space": ({"name": "ann b"}, "name"),
    "name that begins with a dot": ({"name": ".ann"}, "name"),
    "short password": ({"password": "a" * 7}, "password"),
    "long password": ({"password": "a" * 129}, "password"),
    "device": ({"device": "a b"}, "device"),
    "long device": ({"device": "a" * 65}, "device"),
}


@pytest.mark.parametrize("name", list(BAD))
async def test_a_bad_registration_is_refused_by_name(front: Front, name: str) -> None:
    fields, field = BAD[name]
    refused = await front.refused("Register", **({"name": "Ann", "password": PASSWORD} | fields))
    assert refused == ("bad_frame", field)
    assert await rows(front, accounts) == 0


async def test_the_longest_and_the_shortest_that_may_be_are_taken(front: Front) -> None:
    await front.register("abc", password="a" * 8, device="d" * 64)
    await front.register("a" * 32, password="ä" * 128)
    assert (await front.log_in("a" * 32, password="ä" * 128))["uid"]


@pytest.mark.parametrize("password", ["wrong horse", "", "a" * 129, PASSWORD.upper()])
async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(
    front: Front, password: str
) -> None:
    await front.register("Ann")
    wrong = await front.refused("LogIn", name="Ann", password=password)
    unknown = await front.refused("LogIn", name="Bob", password=password)
    assert wrong == unknown == ("wrong_password", "password")


async def test_a_refresh_gives_the_next_pair_and_the_login_goes_on(front: Front) -> None:
    first = await front.register()
    front.pass_s(900)
    second = await front.refresh(first)
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["uid"], second["sid"]) == (first["uid"], first["sid"])
    assert front.claims(second).exp == front.now_ms // 1000 + 900
    assert second["refresh_expires_ms"] == front.now_ms + 30 * 86_400_000
    front.pass_s(900)
    assert (await front.refresh(second))["sid"] == first["sid"]


async def test_a_refresh_token_used_again_ends_the_whole_login(front: Front) -> None:
    first = await front.register()
    other = await front.log_in()
    second = await front.refresh(first)
    front.pass_s(10.001)
    assert await front.refused("Refresh", refresh_token=first["refresh_token"]) == (
        "token_revoked",
        "refresh_token",
    )
    assert (await front.counts(second), await front.counts(other)) == (False, True)
    refused = await front.refused("Refresh", refresh_token=second["refresh_token"])
    assert refused == ("token_invalid", "refresh_token")
    assert (await front.refresh(other))["sid"] == other["sid"]
    assert front.logins.reused == 1


async def test_a_token_of_long_ago_is_known_for_an_old_one_too(front: Front) -> None:
    first = tokens = await front.register()
    for _ in range(5):
        front.pass_s(600)
        tokens = await front.refresh(tokens)
    refused = await front.refused("Refresh", refresh_token=first["refresh_token"])
    assert refused == ("token_revoked", "refresh_token")
    assert not await front.counts(tokens)


async def test_who_lost_the_answer_may_ask_again_for_a_while(front: Front) -> None:
    first = await front.register()
    lost = await front.refresh(first)
    front.pass_s(10)
    again = await front.refresh(first)
    assert await front.counts(again)
    front.pass_s(60)
    assert (await front.refresh(again))["sid"] == first["sid"]
    # Had somebody else used the token first, its pair would end the login when it is used.
    refused = await front.refused("Refresh", refresh_token=lost["refresh_token"])
    assert refused == ("token_revoked", "refresh_token")


async def test_a_store_that_is_away_leaves_the_reuse_to_be_found_again(front: Front) -> None:
    first = await front.register()
    second = await front.refresh(first)
    front.pass_s(60)
    front.store_away = True
    with pytest.raises(StoreUnavailableError):
        await front.logins.refresh(first["refresh_token"])
    front.store_away = False
    refused = await front.refused("Refresh", refresh_token=first["refresh_token"])
    assert refused == ("token_revoked", "refresh_token")
    assert not await front.counts(second)


@pytest.mark.parametrize("text", ["", "x", "ab" * 47, "ab" * 49, "ab" * 48, "é" * 96])
async def test_what_is_no_refresh_token_is_refused(front: Front, text: str) -> None:
    await front.register()
    refused = await front.refused("Refresh", refresh_token=text)
    assert refused == ("token_invalid", "refresh_token")


async def test_a_login_that_rests_for_too_long_is_over(front: Front) -> None:
    tokens = await front.register()
    front.pass_s(30 * 86_400)
    refused = await front.refused("Refresh", refresh_token=tokens["refresh_token"])
    assert refused == ("token_expired", "refresh_token")


async def test_logging_out_ends_one_login(front: Front) -> None:
    phone, laptop = await front.register(device="phone"), await front.log_in(device="laptop")
    await front.ask("LogOut", phone["uid"], sid=phone["sid"])
    assert (await front.counts(phone), await front.counts(laptop)) == (False, True)
    refused = await front.refused("Refresh", refresh_token=phone["refresh_token"])
    assert refused == ("token_invalid", "refresh_token")
    ((row,),) = (await front.ask("ListLogins", phone["uid"], sid=laptop["sid"])).values()
    assert (row["device"], row["own"]) == ("laptop", True)
    # From one device another one; and again, since its answer may have been lost.
    for _ in range(2):
        await front.ask("LogOut", phone["uid"], sid=laptop["sid"])
    assert not await front.counts(laptop)


async def test_nobody_ends_somebody_elses_login(front: Front) -> None:
    ann, bob = await front.register("Ann"), await front.register("Bob")
    assert await front.refused("LogOut", bob["uid"], sid=ann["sid"]) == ("not_found", "sid")
    assert await front.refused("LogOut", bob["uid"], sid="") == ("not_found", "sid")
    assert await front.counts(ann)


async def test_nobody_has_nodes_remember_logins_that_there_never_were(front: Front) -> None:
    ann = await front.register()
    for number in range(3):
        sid = f"{ann['uid']}.{number}"
        assert await front.ask("LogOut", ann["uid"], sid=sid, own_sid=ann["sid"]) == {}
    assert (await front.revocations.since(0)).revocations == []


async def test_ones_own_login_ends_even_where_the_database_has_lost_it(front: Front) -> None:
    ann = await front.register()
    await front.database.write(lambda c: remove_logins(c, ann["uid"]))
    await front.ask("LogOut", ann["uid"], sid=ann["sid"], own_sid=ann["sid"])
    assert not await front.counts(ann)


async def test_logging_out_everywhere_ends_all_and_one_may_log_in_at_once(front: Front) -> None:
    phone, laptop = await front.register(), await front.log_in()
    bob = await front.register("Bob")
    await front.ask("LogOutEverywhere", phone["uid"])
    assert [await front.counts(each) for each in (phone, laptop, bob)] == [False, False, True]
    anew = await front.log_in()
    assert await front.counts(anew)
    front.pass_s(900)
    assert await front.counts(await front.refresh(anew))


async def test_another_password_ends_the_other_logins_alone(front: Front) -> None:
    phone, laptop = await front.register(), await front.log_in()
    fields = {"sid": phone["sid"], "new_password": "battery staple"}
    wrong = await front.refused("ChangePassword", phone["uid"], password="no", **fields)
    assert wrong == ("wrong_password", "password")
    short = await front.refused(
        "ChangePassword", phone["uid"], password=PASSWORD, sid=phone["sid"], new_password="short"
    )
    assert short == ("bad_frame", "new_password")
    assert await front.ask("ChangePassword", phone["uid"], password=PASSWORD, **fields) == {}
    assert (await front.counts(phone), await front.counts(laptop)) == (True, False)
    assert await front.refused("LogIn", name="Ann", password=PASSWORD) == (
        "wrong_password",
        "password",
    )
    assert (await front.log_in(password="battery staple"))["uid"] == phone["uid"]


async def test_another_password_ends_the_other_logins_also_while_the_store_is_away(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, thiefs = await front.register(), await front.log_in()
    verify = front.passwords.verify

    async def verify_slowly(password: str, kept: str | None) -> bool:
        front.store_away = True
        return await verify(password, kept)

    monkeypatch.setattr(front.passwords, "verify", verify_slowly)
    fields = {"password": PASSWORD, "new_password": "battery staple"}
    with pytest.raises(StoreUnavailableError):
        await front.ask("ChangePassword", phone["uid"], sid=phone["sid"], **fields)
    front.store_away = False
    refused = await front.refused("Refresh", refresh_token=thiefs["refresh_token"])
    assert refused == ("token_invalid", "refresh_token")
    assert (await front.refresh(phone))["sid"] == phone["sid"]


async def test_a_login_under_way_while_its_password_is_changed_comes_to_nothing(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await front.register()
    verify = front.passwords.verify

    async def verify_slowly(password: str, kept: str | None) -> bool:
        right = await verify(password, kept)
        monkeypatch.setattr(front.passwords, "verify", verify)
        fields = {"password": PASSWORD, "new_password": "battery staple"}
        await front.ask("ChangePassword", ann["uid"], sid=ann["sid"], **fields)
        return right

    monkeypatch.setattr(front.passwords, "verify", verify_slowly)
    refused = await front.refused("LogIn", name="Ann", password=PASSWORD)
    assert refused == ("wrong_password", "password")
    assert await rows(front, logins) == 1


async def test_a_login_under_way_while_all_is_revoked_has_tokens_that_count(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await front.register()
    verify = front.passwords.verify

    async def verify_slowly(password: str, kept: str | None) -> bool:
        await front.order(ann["uid"])
        return await verify(password, kept)

    monkeypatch.setattr(front.passwords, "verify", verify_slowly)
    assert await front.counts(await front.log_in())


async def test_a_login_that_has_ended_changes_no_password(front: Front) -> None:
    tokens = await front.register()
    await front.ask("LogOut", tokens["uid"], sid=tokens["sid"])
    refused = await front.refused(
        "ChangePassword",
        tokens["uid"],
        sid=tokens["sid"],
        password=PASSWORD,
        new_password="battery staple",
    )
    assert refused == ("token_revoked", "token")


async def test_who_has_no_account_has_no_password(front: Front) -> None:
    refused = await front.refused(
        "ChangePassword", "ann", sid="", password=PASSWORD, new_password="battery staple"
    )
    assert refused == ("not_found", "token")


async def test_one_login_too_many_ends_the_one_seen_least_lately(make_front: Any) -> None:
    front = make_front(max_logins=2)
    first = await front.register()
    front.pass_s(1)
    second = await front.log_in()
    front.pass_s(20)
    first = await front.refresh(first)
    third = await front.log_in()
    assert [await front.counts(each) for each in (first, second, third)] == [True, False, True]
    assert await rows(front, logins) == 2


async def test_logins_that_are_over_do_not_stay(front: Front) -> None:
    await front.register()
    front.pass_s(31 * 86_400)
    await front.log_in()
    assert await rows(front, logins) == 1
