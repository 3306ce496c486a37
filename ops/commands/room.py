"""`relaymesh room`: what the cluster does with a hot room, and what an operator says to that."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from ops.commands import options
from ops.errors import Refusal
from ops.gateway import Gateway
from proto.ids import is_room

F = TypeVar("F", bound=Callable[..., Any])
Answer = dict[str, Any]


@click.group("room")
def command() -> None:
    """See and decide whether ROOM is hot: on access nodes of its own."""


def _options(function: F) -> F:
    """Give a command its ROOM and the options that say which cluster is asked."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one line of JSON."),
        options.secret_file,
        options.state_dir("State folder of the local cluster whose secret is used."),
        options.port_base,
        click.argument("room"),
    ):
        function = option(function)
    return function


def _add(name: str, about: str, ask: Callable[[Gateway, str], Answer]) -> None:
    """Add the command `name`, which asks the gateway about a room's path and shows the answer."""

    @command.command(name, help=about)
    @_options
    def _(
        room: str, port_base: int, state_dir: Path, secret_file: Path | None, as_json: bool
    ) -> None:
        if not is_room(room):
            raise Refusal(f"{room!r} is no room: 1 to 64 of the characters A-Z a-z 0-9 _ . : -")
        answer = ask(Gateway(port_base, state_dir, secret_file), f"/v1/rooms/{quote(room)}")
        click.echo(json.dumps(answer) if as_json else _shown(answer))


def _wish(wish: str) -> Callable[[Gateway, str], Answer]:
    def ask(gateway: Gateway, path: str) -> Answer:
        answer: Answer = gateway.post(f"{path}/heat", {"wish": wish})
        return answer

    return ask


_add(
    "show",
    "Show how hot ROOM is, its nodes, and who goes by its rule.",
    lambda gateway, path: gateway.get(f"{path}/heat"),
)
_add("heat", "Move ROOM to nodes of its own, however few are in it.", _wish("hot"))
_add("cool", "Keep ROOM on ordinary nodes, however many are in it.", _wish("cool"))
_add("auto", "Let the numbers decide about ROOM again.", _wish("auto"))
_add(
    "tag",
    "Have ROOM start hot whenever it goes live.",
    lambda gateway, path: gateway.put(f"{path}/tag"),
)
_add(
    "untag",
    "Forget ROOM's tag, and the history that would tag it again.",
    lambda gateway, path: gateway.delete(f"{path}/tag"),
)


def _shown(answer: Answer) -> str:
    """Return an answer as lines for eyes."""
    if "state" in answer:
        return heat_lines(answer)
    (said,) = answer.keys() - {"room"}
    return f"{answer['room']}: {said} {answer[said] or 'none'}"


def heat_lines(heat: Answer) -> str:
    """Return a room's heat as lines for eyes."""
    nodes, online = heat["nodes"], heat["online"]
    ready = sum(node["ready"] for node in nodes)
    rows = {
        "online": "not known" if online is None else online,
        "wish": heat["wish"],
        "tag": heat["tag"] or "none",
        "was hot": _times(len(heat["hot_at_ms"])),
        "nodes": f"{ready} ready, {heat['nodes_wanted']} wanted",
        "gateways": _gateways(heat),
    }
    if heat["failures"]:
        rows["failed"] = f"{_times(heat['failures'])}; tried again in {heat['retry_s']:g} s"
    if heat["trouble"]:
        rows["trouble"] = heat["trouble"]
    lines = [f"{name:<10} {value}" for name, value in rows.items()]
    lines += [_node(node) for node in nodes]
    pool = f", pool {heat['pool']}" if heat["pool"] else ""
    return "\n".join([f"{heat['room']}: {heat['state']}, fence {heat['fence']}{pool}", *lines])


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _gateways(heat: Answer) -> str:
    known = heat["gateways"].values()
    count = sum(version >= heat["rules_version"] for version in known)
    return f"{count} of {len(known)} go by the newest rules"


def _node(node: Answer) -> str:
    ready = "ready" if node["ready"] else "not ready"
    return f"  {node['node']:<20} {ready:<10} {node['connections']} connections"
