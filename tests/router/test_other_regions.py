import msgspec
import trio

from backends.leases.interface import RegionNodes
from router.gateway.other_regions import FRESH_S, PATIENCE_S, OtherRegions
from tests.router.parts import FakeMesh, lease

NODES = RegionNodes([lease("access-9", connections=3)], [])


async def test_a_region_is_asked_once_a_second_however_many_look(autojump_clock) -> None:
    mesh = FakeMesh()
    mesh.answer = lambda: msgspec.json.encode(NODES)
    others = OtherRegions(mesh, "eu", ("us",))
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(others.look)
    assert others.nodes == {"us": NODES}
    assert [rest["home"] for *_, rest in mesh.requests] == ["us"]
    await trio.sleep(FRESH_S)
    await others.look()
    assert len(mesh.requests) == 2


async def test_a_region_that_does_not_answer_delays_nobody_for_long(autojump_clock) -> None:
    mesh = FakeMesh()
    mesh.answer = lambda: b"nonsense"
    others = OtherRegions(mesh, "eu", ("us", "asia"))
    await others.look()
    assert others.nodes == {"us": None, "asia": None}

    async def never(*_: object, **__: object) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    mesh.request = never  # type: ignore[method-assign]
    await trio.sleep(FRESH_S)
    with trio.fail_after(PATIENCE_S + 0.1):
        await others.look()
    assert others.nodes == {"us": None, "asia": None}
