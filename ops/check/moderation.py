"""Checks of moderation: what a host does to a viewer holds on its node, and all are told."""

from ops.check.report import CheckFailedError, require
from ops.check.stage import Stage
from relaymesh_client import Refused


async def mute_holds_until_it_is_taken_back(stage: Stage) -> str:
    """A host mutes a viewer of another node: its chat is refused, everybody is told."""
    viewer = stage.viewers[-1]
    uid = viewer.client.session.uid
    done = await stage.host.client.moderate(stage.room, "mute", uid, for_s=60, reason="check")
    for each in stage.everybody:
        frame = (await each.message(done["mid"])).frame
        got = tuple(frame[name] for name in ("push", "action", "uid", "until_ms"))
        require(got == ("moderation", "mute", uid, done["until_ms"]), f"arrived as {frame}")
    code = await _refusal(stage, "muted?")
    require(code == "muted", f"the muted one's chat was refused with {code}")
    await stage.host.client.moderate(stage.room, "unmute", uid)
    await viewer.client.chat(stage.room, "unmuted")
    return f"{viewer.node}: refused while muted, everybody told"


async def viewers_cannot_moderate(stage: Stage) -> str:
    """A viewer can't mute anybody."""
    viewer = stage.viewers[0]
    try:
        await viewer.client.moderate(stage.room, "mute", stage.host.client.session.uid)
    except Refused as error:
        require(error.code == "forbidden", f"refused with {error.code}, not forbidden")
        return f"{error.code}: {error.message}"
    raise CheckFailedError("was not refused")


async def _refusal(stage: Stage, text: str) -> str:
    try:
        await stage.viewers[-1].client.chat(stage.room, text)
    except Refused as error:
        return error.code
    return "nothing"
