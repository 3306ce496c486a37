"""Checks of the gateway: what back ends publish, and what it says of the cluster."""

import json

from ops.check.report import CheckFailedError, require
from ops.check.stage import Stage

DATA = {"text": 'a "quote" and 🎁', "numbers": [1, 2.5, None, True], "nested": {"a": []}}


async def server_publishes_to_a_room(stage: Stage) -> str:
    """A back end's message reaches everybody in the room, in the stream it chose."""
    for priority in ("urgent", "normal"):
        mid = f"check-notice-{priority}"
        body = {"data": DATA, "priority": priority, "mid": mid}
        path = f"/v1/rooms/{stage.room}/publish"
        await stage.gateway.ask("POST", path, token=stage.tokens.server(), body=body)
        for each in stage.everybody:
            push = await each.message(mid)
            got = (push.kind, push.priority, push.frame["data"])
            require(got == ("notice", priority, DATA), f"{each.node} got {push.frame}")
    return "urgent and normal, to everybody"


async def server_publishes_to_a_user(stage: Stage) -> str:
    """A back end's message reaches one user on that user's node, and nobody else."""
    receiver = stage.viewers[-1]
    path = f"/v1/users/{receiver.client.session.uid}/publish"
    body = {"data": DATA, "mid": "check-direct"}
    await stage.gateway.ask("POST", path, token=stage.tokens.server(), body=body)
    direct = await receiver.until(
        lambda: next((each for each in receiver.directs if each.mid == "check-direct"), None),
        f"{receiver.node} did not deliver to its user",
    )
    require(direct.data == DATA, f"arrived as {direct.frame}")
    others = [each.name for each in stage.everybody if each is not receiver and each.directs]
    require(not others, f"{others} got it too")
    return f"to one user on {receiver.node}"


async def viewers_cannot_publish_by_http(stage: Stage) -> str:
    """Only a back end's token publishes through the gateway."""
    path = f"/v1/rooms/{stage.room}/publish"
    try:
        await stage.gateway.ask("POST", path, token=stage.viewers[0].token, body={"data": 1})
    except CheckFailedError as error:
        require("answered 403" in str(error), str(error))
        return "403"
    raise CheckFailedError("a viewer's publish was taken")


async def status_shows_every_node(stage: Stage) -> str:
    """`/v1/status` lists every node of every role, and the arithmetic of the links."""
    token = stage.tokens.server() if stage.tokens.can_mint else ""
    status = await stage.gateway.status(token)
    roles = sorted(node["role"] for node in status["nodes"])
    require({"access", "relay", "router", "logic"} <= set(roles), f"roles are {roles}")
    access = {node["id"] for node in status["nodes"] if node["role"] == "access"}
    require(access == set(stage.nodes), f"access nodes are {access}, met were {set(stage.nodes)}")
    down = [node["id"] for node in status["nodes"] if not node["up"]]
    require(not down, f"{down} are down")
    require({"held", "full_mesh"} <= set(status["links"]), f"links are {status['links']}")
    return f"{len(roles)} nodes, links {json.dumps(status['links'])}"
