import msgspec
import trio
from prometheus_client import CollectorRegistry, generate_latest

from proto.envelopes import BATCH_START, Kind, encode, split
from proto.headers import RequestHeader, decode_reply, encode_header
from proto.priorities import Priority
from proto.services import Method
from proto.topics import Topic


def request(number, body, **header):
    fields = {"uid": "ann", "role": "viewer", "room": "a"} | header
    head = RequestHeader(number, "access-1", "i1", Method.PUBLISH, 2000, **fields)
    raw = encode(Kind.REQUEST, Priority.NORMAL, b"logic", encode_header(head), body)
    return next(split(BATCH_START + raw))


def replies(world):
    envelopes = [next(split(BATCH_START + raw)) for _, _, raw in world.mesh.sent]
    return {decode_reply(e.header).request: e for e in envelopes}


CHAT = b'{"op":"chat","id":1,"room":"a","text":"hi"}'


async def test_requests_come_from_the_mesh_and_answers_go_back_by_it(
    autojump_clock, world, running
):
    logic, _ = await running()
    logic.receive("relay-1", request(1, CHAT))
    logic.receive("relay-1", request(2, b"{}"))
    await trio.sleep(0.1)
    answers = replies(world)
    assert msgspec.json.decode(answers[1].body)["seq"] == 1
    assert decode_reply(answers[2].header).error.code == "bad_frame"
    assert {each.key for each in answers.values()} == {b"access-1"}


async def test_a_node_that_stops_answers_what_it_took_and_empties_its_way_to_the_bus(
    autojump_clock, world, running
):
    logic, stopping = await running()
    await trio.sleep(1)
    assert logic.ready()
    world.broker.stop()
    for number in range(20):
        logic.receive("relay-1", request(number, CHAT))
    stopping.set()
    await trio.sleep(0.5)
    assert not logic.ready()
    world.broker.start()
    await trio.sleep(5)
    assert len(replies(world)) == 20
    assert len(world.records(Topic.NORMAL)) == 20
    assert [lease.node for lease in await world.registry.living()] == []


async def test_the_lease_says_what_the_node_does(autojump_clock, world, running):
    await running()
    await trio.sleep(1.5)
    (lease,) = await world.registry.living()
    assert (lease.node, lease.role, lease.incarnation) == ("logic-1", "logic", "l1")
    assert lease.status["ready"] is True
    assert lease.status["links"] == 1
    msgspec.json.encode(lease.status)


async def test_no_relay_no_readiness(autojump_clock, world, running):
    logic, _ = await running()
    world.mesh.up = []
    assert not logic.ready()


async def test_metrics_show_each_step(autojump_clock, ask, world, running):
    logic, _ = await running()
    await ask(logic, Method.PUBLISH, {"op": "chat", "text": "x"})
    await logic.outgoing.drained()
    registry = CollectorRegistry()
    for collector in logic.collectors():
        registry.register(collector)
    text = generate_latest(registry).decode()
    for line in (
        'relaymesh_logic_published_total{kind="chat",priority="normal"} 1.0',
        'relaymesh_logic_outgoing_drops_total{priority="bulk",reason="full",way="hot"} 0.0',
        'relaymesh_logic_outgoing_depth{priority="urgent",way="ordinary"} 0.0',
        'relaymesh_logic_outgoing_records_total{priority="normal",way="ordinary"} 1.0',
        'relaymesh_logic_request_seconds_bucket{le="+Inf",method="publish"} 1.0',
        'relaymesh_logic_request_errors_total{code="forbidden"} 0.0',
    ):
        assert line in text
