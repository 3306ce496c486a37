"""Idempotency keys as a back end meets them."""

import httpx
import pytest
import trio

from backends.errors import StoreUnavailableError
from proto.errors import ErrorCode, RequestError
from proto.services import decode_push
from router.gateway.once import checked_key
from tests.router.gateway_parts import LEASES, Gateway, gateway, problem, token

PATH = "/v1/rooms/lobby/publish"


async def publish(
    it: Gateway, key: str, data: object = 1, *, path: str = PATH, sub: str = "shop"
) -> httpx.Response:
    headers = token("server", sub=sub) | {"Idempotency-Key": key}
    return await it.push(path, {"data": data}, headers=headers)


async def test_a_repeated_call_gets_the_first_answer_and_is_done_once() -> None:
    async with gateway(*LEASES) as it:
        first = await publish(it, "k1")
        it.mesh.answer = lambda: b'{"mid":"another"}'
        again = await publish(it, "k1")
        assert first.json() == again.json() == {"mid": "m"}
        assert (len(it.mesh.requests), it.counters.replayed) == (1, 1)
        quoted = await publish(it, '"k1"')
        assert quoted.json() == {"mid": "m"}


async def test_another_body_or_path_under_the_same_key_is_a_conflict() -> None:
    async with gateway(*LEASES) as it:
        assert (await publish(it, "k1")).is_success
        assert problem(await publish(it, "k1", 2)) == (409, "conflict", "idempotency-key")
        other = await publish(it, "k1", path="/v1/rooms/show/publish")
        assert problem(other) == (409, "conflict", "idempotency-key")
        assert "retry-after" not in other.headers
        assert len(it.mesh.requests) == 1


async def test_callers_do_not_share_keys() -> None:
    async with gateway(*LEASES) as it:
        assert (await publish(it, "k1")).is_success
        assert (await publish(it, "k1", 2, sub="game")).is_success
        mids = {decode_push(body).mid for _, _, body, _ in it.mesh.requests}
        assert len(mids) == 2


async def test_while_the_first_is_being_done_others_are_told_to_come_again(
    autojump_clock: object,
) -> None:
    async with gateway(*LEASES) as it:
        hold = trio.Event()
        it.mesh.before_answer = hold.wait
        answers: list[httpx.Response] = []

        async def first() -> None:
            answers.append(await publish(it, "k1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first)
            await trio.testing.wait_all_tasks_blocked()
            second = await publish(it, "k1")
            assert problem(second) == (409, "conflict", "idempotency-key")
            assert second.headers["retry-after"] == "1"
            hold.set()
        assert answers[0].is_success


@pytest.mark.parametrize("code", [ErrorCode.UNAVAILABLE, ErrorCode.OVERLOADED, ErrorCode.TIMEOUT])
async def test_what_may_be_sent_again_is_done_again_under_the_same_id(code: ErrorCode) -> None:
    def refuse() -> bytes:
        raise RequestError(code)

    async with gateway(*LEASES) as it:
        good, it.mesh.answer = it.mesh.answer, refuse
        assert problem(await publish(it, "k1"))[1] == code.value
        it.mesh.answer = good
        assert (await publish(it, "k1")).is_success
        first, second = (decode_push(body).mid for _, _, body, _ in it.mesh.requests)
        assert first == second


async def test_what_is_refused_for_good_is_refused_again() -> None:
    def refuse() -> bytes:
        raise RequestError(ErrorCode.FORBIDDEN, "no", field="room")

    async with gateway(*LEASES) as it:
        it.mesh.answer = refuse
        first, again = await publish(it, "k1"), await publish(it, "k1")
        assert problem(first) == problem(again) == (403, "forbidden", "room")
        assert len(it.mesh.requests) == 1


async def test_a_call_with_bad_input_does_not_use_up_its_key() -> None:
    async with gateway(*LEASES) as it:
        headers = token("server", sub="shop") | {"Idempotency-Key": "k1"}
        bad = await it.push(PATH, {"data": 1, "priority": "gold"}, headers=headers)
        assert problem(bad) == (400, "bad_frame", "priority")
        assert (await publish(it, "k1")).is_success


async def test_without_the_store_a_key_can_not_be_kept_and_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway(*LEASES) as it:

        async def away(*_: object) -> None:
            raise StoreUnavailableError("away")

        monkeypatch.setattr(it.idempotency, "begin", away)
        assert problem(await publish(it, "k1")) == (503, "unavailable", "")
        assert it.mesh.requests == []
        assert (await it.push(PATH, {"data": 1})).is_success


@pytest.mark.parametrize("header", ["k" * 129, '"' + "k" * 129 + '"', '""', "a\tb"])
async def test_a_key_that_is_none_is_refused(header: str) -> None:
    async with gateway(*LEASES) as it:
        assert problem(await publish(it, header)) == (400, "bad_frame", "idempotency-key")


@pytest.mark.parametrize(("header", "key"), [("", ""), ("k", "k"), ('"k"', "k"), ('"', '"')])
def test_a_key_may_stand_in_quotes_or_not(header: str, key: str) -> None:
    assert checked_key(header) == key
