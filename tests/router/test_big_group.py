"""A message to ten thousand members who are online, through real relays."""

import random

import pytest

from backends.database.diffusing import Stored
from bench.small_mesh import small_mesh
from logic.mailbox.diffusion import Posted
from logic.mailbox.records import to_users
from router.costs import Costs
from router.plan import Mode

MEMBERS = 10_000
NODES = 4
BODY = b'{"push":"message","body":{"text":"%b"}}' % (b"x" * 2000)
UID_BYTES = len("member-12345") + 1
NUMBER_BYTES = 3
RECORDS = 10


@pytest.mark.parametrize(
    ("costs", "mode"),
    [(Costs(), Mode.BROADCAST), (Costs(round_trip_us=0, lookup_us=0), Mode.PRECISE)],
)
async def test_one_body_goes_to_each_node_with_the_uids_in_batches(
    costs: Costs, mode: Mode
) -> None:
    numbers = {f"member-{n:05d}": 1000 + n for n in range(MEMBERS)}
    message = Stored("g:big", 7, "ann", "Ann", "message", "m1", 1, 7, False, b"{}")
    records = list(to_users(Posted(message, numbers, BODY), ""))
    async with small_mesh(nodes=NODES, relays=2, routers=1) as mesh:
        await mesh.place(list(numbers), random.Random(5))
        sent, (counters,) = await mesh.deliver(records, costs)

    assert len(records) == RECORDS
    assert counters.routed[mode] == RECORDS, "what relaymesh_router_routed{mode} shows"
    assert sent.told == dict.fromkeys(numbers, 1)
    assert sent.node_copies == RECORDS * NODES, "one copy a record and node, not one a member"
    times_named = NODES if mode is Mode.BROADCAST else 1
    receivers = MEMBERS * (UID_BYTES + NUMBER_BYTES) * times_named
    bodies = RECORDS * NODES * len(BODY)
    assert receivers + bodies < sent.node_bytes < 1.05 * (receivers + bodies)
    assert sent.node_bytes < MEMBERS * len(BODY) / 10
