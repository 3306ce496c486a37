"""Moderation crosses regions: by the room's urgent stream, from and to anywhere."""

from collections.abc import Callable

import pytest

from bench.regions.world import World
from relaymesh_client import Push, Refused, Removed
from tests.regions.people import present

pytestmark = pytest.mark.regions


@pytest.mark.parametrize("home", ["eu", "ap"])
async def test_a_ban_holds_in_every_region(
    world: World, room_at: Callable[[str], str], home: str
) -> None:
    room = room_at(home)
    async with (
        present(world, "eu", "host", room, host=room) as host,
        present(world, "us", "spammer", room) as spammer,
        present(world, "ap", "hearer", room) as hearer,
    ):
        ok = await host.client.moderate(room, "ban", "spammer", for_s=600, reason="spam")
        await spammer.until(lambda: bool(spammer.of(Removed, room)))
        assert spammer.of(Removed, room) == [Removed(room, "banned", ok["until_ms"], "spam")]
        await hearer.until(lambda: bool(moderations(hearer.of(Push, room))))
        assert moderations(hearer.of(Push, room)) == [("ban", "spammer")]
        with pytest.raises(Refused) as caught:
            await spammer.client.join(room)
        assert caught.value.code == "banned"
        await host.client.moderate(room, "mute", "hearer")
        with pytest.raises(Refused) as caught:
            await hearer.client.chat(room, "x")
        assert caught.value.code == "muted"


def moderations(pushes: list[Push]) -> list[tuple[str, str]]:
    found = [push.frame for push in pushes if push.kind == "moderation"]
    return [(frame["action"], frame["uid"]) for frame in found]
