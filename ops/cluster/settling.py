"""Waiting until the gateway knows the whole cluster: who asks it then is told of every node."""

import urllib.error
import urllib.request

import msgspec
import trio

from ops.cluster.plan import Plan

MOST_S = 3.0
"""Nodes make themselves known each second; who is not known after three has a problem of its own,
and the others should not wait for it."""

POLL_S = 0.05


class Links(msgspec.Struct):
    """The part of the gateway's status that counts here."""

    held: int


class Status(msgspec.Struct):
    """The gateway's status, as far as it counts here."""

    links: Links


async def settled(plan: Plan) -> bool:
    """Return true once the gateway counts every link of `plan`, false after `MOST_S` seconds."""
    with trio.move_on_after(MOST_S):
        while (
            await trio.to_thread.run_sync(_links, plan.gateway, abandon_on_cancel=True)
            < plan.links["held"]
        ):
            await trio.sleep(POLL_S)
        return True
    return False


def _links(gateway: str) -> int:
    try:
        with urllib.request.urlopen(f"{gateway}/v1/status", timeout=MOST_S) as answer:
            return msgspec.json.decode(answer.read(), type=Status).links.held
    except (urllib.error.URLError, ConnectionError, TimeoutError, msgspec.DecodeError):
        return 0
