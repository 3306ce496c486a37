"""`relaymesh simulate`: a deployment of any size, on paper and in virtual time."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ops.errors import Refusal
from simulation.deployment import RANGES, Deployment, DeploymentError, option
from simulation.run import simulate
from simulation.table import readable

HELP = {
    "clients": "Connections of the whole cluster, each in one room.",
    "access": "Access nodes of all regions (a core each).",
    "routers": "Routers of all regions.",
    "regions": "Regions.",
    "relays": "Relays of each region; 0: one for each hundred nodes, 2 to 8.",
    "logic": "Logic nodes of all regions; 0: as many as routers.",
    "rooms": "Rooms; 0: one for each hundred clients.",
    "zipf": "The room of rank r has a share that goes with 1/r^ZIPF.",
    "chats": "Chat messages a second and viewer.",
    "gifts": "Urgent messages a second and viewer.",
    "likes": "Frames with likes a second and viewer.",
    "room_per_s": "Most chat messages a second of one room.",
    "im": "Instant messages a second and client.",
    "frame_bytes": "A message on its way to a client.",
    "abroad": "Share of a room's viewers in other regions.",
    "threshold": "Viewers from which on a room is hot.",
    "viewers_per_node": "Viewers of a dedicated node; 0: as many as others have.",
    "room_spread": "Viewers of a room on a node before another is taken; 0: anywhere.",
    "between_ms": "From one region to another, one way.",
    "seed": "Of everything that is drawn.",
}
_DEFAULTS = {field: getattr(Deployment(clients=1, access=1, routers=1), field) for field in HELP}
_NEEDED = ("clients", "access", "routers")

F = TypeVar("F", bound=Callable[..., Any])


def options(command: F) -> F:
    """Give `command` an option for each number of a deployment."""
    for field in reversed(HELP):
        kind = type(RANGES[field][0]) if field not in _DEFAULTS else type(_DEFAULTS[field])
        more: dict[str, Any] = {"type": kind, "help": HELP[field]}
        if field in _NEEDED:
            more["required"] = True
        else:
            more |= {"default": _DEFAULTS[field], "show_default": True}
        command = click.option(option(field), field, **more)(command)
    return command


@click.command("simulate")
@options
@click.option("--bus", default="redis", show_default=True, type=click.Choice(["redis", "rocketmq"]))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool, **numbers: Any) -> None:
    """What a deployment would hold, copy, use and lose: links, copies, load, latency, heat.

    The real pure parts run in virtual time, with clients drawn and not counted one by one; 100
    million take seconds. docs/scale.md says what the figures mean and where they come from.
    """
    try:
        result = simulate(Deployment(**numbers))
    except DeploymentError as error:
        raise Refusal(str(error)) from None
    click.echo(json.dumps(result) if as_json else readable(result))
