import trio
from trio.testing import MockClock

from access.settings import ClientSettings
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority
from proto.services import Method
from tests.access.cluster import MakeWorld, World
from tests.access.im.phone import DIRECT, Phone


async def test_a_request_goes_up_unread_and_its_answer_comes_back_unread(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    text = b'{"op": "send","id":77,"conv":"d:ann|bob","mid":"m1","text":"\\u0068i \xc3\xa9"}'
    phone.client.raw(text)
    assert (await phone.client.reply(77))["ok"] == {"conv": DIRECT, "seq": 1}
    (asked,) = world.mesh.asked_for(Method.IM)
    assert (asked.body, asked.priority) == (text, Priority.NORMAL)
    facts = asked.facts
    assert (facts["uid"], facts["role"], facts["room"]) == ("ann", "viewer", "phone")
    assert facts["repeatable"]
    assert facts["trace"]


async def test_requests_need_no_device_and_need_a_hello(
    world: World, autojump_clock: MockClock
) -> None:
    client = world.client()
    reply = await client.ask("contacts")
    assert reply["error"]["code"] == "hello_first"
    await client.hello("ann")
    assert (await client.ask("contacts"))["ok"] == {"op": "contacts"}
    assert world.mesh.asked_for(Method.IM)[0].facts["room"] == ""


async def test_messages_of_one_session_to_one_conversation_go_up_in_order(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    ids = [phone.client.send("send", conv=DIRECT, mid=f"m{k}", text="x") for k in range(50)]
    ids += [phone.client.send("send", conv="g:g1", mid=f"n{k}", text="x") for k in range(20)]
    for request_id in ids:
        await phone.client.reply(request_id)
    sent = [request["mid"] for request in world.mesh.im.requests]
    assert [mid for mid in sent if mid.startswith("m")] == [f"m{k}" for k in range(50)]
    assert [mid for mid in sent if mid.startswith("n")] == [f"n{k}" for k in range(20)]
    assert sent.index("n0") < sent.index("m49"), "one conversation waits for another"


async def test_what_waits_behind_a_message_that_failed_is_refused_unsent(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    world.mesh.failures.append(RequestError(ErrorCode.TIMEOUT))
    ids = [phone.client.send("send", conv=DIRECT, mid=f"m{k}", text="x") for k in range(5)]
    codes = [(await phone.client.reply(each))["error"]["code"] for each in ids]
    assert codes == ["timeout"] * 5
    assert world.mesh.im.requests == []
    assert "ok" in await phone.client.ask("send", conv=DIRECT, mid="m0", text="x")


async def test_a_message_that_is_refused_for_good_holds_no_other(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    world.mesh.failures.append(RequestError(ErrorCode.NOT_FRIENDS))
    first = phone.client.send("send", conv=DIRECT, mid="m1", text="x")
    second = phone.client.send("send", conv=DIRECT, mid="m2", text="x")
    assert (await phone.client.reply(first))["error"]["code"] == "not_friends"
    assert "ok" in await phone.client.reply(second)


async def test_messages_that_wait_for_others_are_bounded(
    make_world: MakeWorld, autojump_clock: MockClock
) -> None:
    world = make_world(client=ClientSettings(max_in_flight=3))
    phone = Phone(world)
    await phone.hello()
    ids = [phone.client.send("send", conv=DIRECT, mid=f"m{k}", text="x") for k in range(5)]
    codes = [(await phone.client.reply(each)).get("error", {}).get("code") for each in ids]
    assert codes == [None, None, None, "overloaded", "overloaded"]


async def test_what_a_client_that_has_gone_still_had_to_send_is_let_go(
    world: World, autojump_clock: MockClock
) -> None:
    phone = Phone(world)
    await phone.hello()
    held = trio.Event()

    async def hold(method: Method) -> None:
        if method is Method.IM:
            await held.wait()

    world.mesh.before_answer = hold
    for k in range(3):
        phone.client.send("send", conv=DIRECT, mid=f"m{k}", text="x")
    await world.settle(0.1)
    world.edge.hang_up(phone.client.connection)
    held.set()
    await world.settle(1)
    assert [request["mid"] for request in world.mesh.im.requests] == ["m0"]
