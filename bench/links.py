"""`relaymesh bench links`: what the links of a full mesh cost, and those by relays.

For each pair of A access nodes and R routers both ways are really held, over pynng on the loopback,
with all nodes of a tier in one process: every access node dials every router (the router's end is a
relay's: it has to know who wants what), or everybody dials k relays. What this machine can't hold
in a process (`most_links`, from its limit on open files) is computed. A link is three connections,
one for each lane. Prints

- `relays`: k of each row; `file_limit`: open files of a process; `most_links`: of a process;
- `rows`: one for each pair, with
  - `access`, `routers`;
  - `computed`: links `held` by relays and in a `full_mesh`, as `relaymesh simulate` has them;
  - `relayed`, `full_mesh`: measured, `null` where it is too much: `links`, `connections`;
    `set_up_s`: until every link stood, or a minute; `memory_mb`: of all processes, over what they
    had before; `files`: open files of all processes; `idle_share`: of a core, all processes
    together, with nothing but pings; and of `relayed` `copy_us`: CPU of the relays for each copy of
    single messages to all access nodes, 20 a second;
- `ok`: all links stood, and as many as computed.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import click

from bench.hop import Child
from bench.ports import free_port_base
from simulation.deployment import Deployment
from simulation.links import links

LANES = 3
PAIRS = ((10, 10), (30, 30), (100, 100), (1000, 1000))
FILES_PER_LINK = 3 * LANES
"""Of the process that dials: each connection has its socket and nng's two for waking."""

SPARE = 0.8
"""Of the limit on open files, what may be used."""

IDLE_S = 3.0


class LinksChild(Child):
    """A process with all nodes of one tier."""

    def __init__(self, tier: str, log: IO[bytes], **arguments: Any) -> None:
        command = [sys.executable, "-m", "bench.links_child", tier, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self._log = log


@click.command("links")
@click.option(
    "--most",
    default=1000,
    show_default=True,
    type=click.IntRange(10, 1000),
    help="Access nodes of the largest pair to be measured.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(most: int, as_json: bool) -> None:
    """Links of a full mesh and by relays: sockets, memory and time to set them up."""
    result = measure(PAIRS, most)
    click.echo(json.dumps(result) if as_json else readable(result))
    sys.exit(0 if result["ok"] else 1)


def measure(pairs: Sequence[tuple[int, int]], most: int) -> dict[str, Any]:
    """Hold every pair both ways, one after the other; returns what is printed."""
    limit = _raised_limit()
    most_links = int(limit * SPARE) // FILES_PER_LINK
    rows = [_row(access, routers, most_links, most) for access, routers in pairs]
    measured = [
        (row[way], row["computed"]["held" if way == "relayed" else "full_mesh"])
        for row in rows
        for way in ("relayed", "full_mesh")
        if row[way]
    ]
    return {
        "relays": [row["relays"] for row in rows],
        "file_limit": limit,
        "most_links": most_links,
        "rows": rows,
        "ok": bool(measured) and all(each["links"] == links for each, links in measured),
    }


def _row(access: int, routers: int, most_links: int, most: int) -> dict[str, Any]:
    """Return one row: computed, and each way measured if a process can hold it."""
    deployment = Deployment(clients=1, access=access, routers=routers)
    k, computed = deployment.relays_per_region, links(deployment)
    wanted = access <= most
    relayed = wanted and k * max(access, routers) <= most_links
    full = wanted and access * routers <= most_links
    return {
        "access": access,
        "routers": routers,
        "relays": k,
        "computed": {"held": computed["held"], "full_mesh": computed["full_mesh"]},
        "relayed": _relayed(access, routers, k) if relayed else None,
        "full_mesh": _full_mesh(access, routers) if full else None,
    }


def _relayed(access: int, routers: int, relays: int) -> dict[str, Any]:
    addresses = _addresses(relays)
    tiers: list[tuple[str, dict[str, Any]]] = [
        ("listen", {"addresses": addresses, "name": "relay"}),
        ("dial", {"addresses": addresses, "role": "access", "count": access}),
        ("dial", {"addresses": addresses, "role": "probe", "count": routers}),
    ]
    with _running(tiers) as children:
        found = _figures(children)
        before, began = children[0].ask("cpu"), time.monotonic()
        copies = children[2].ask("send") * access
        took_s = time.monotonic() - began
        time.sleep(0.2)
        cpu_s = children[0].ask("cpu") - before - found["relay_idle_share"] * took_s
    got = found | {"copy_us": round(cpu_s / copies * 1e6, 1)}
    del got["relay_idle_share"]
    return got


def _full_mesh(access: int, routers: int) -> dict[str, Any]:
    addresses = _addresses(routers)
    tiers: list[tuple[str, dict[str, Any]]] = [
        ("listen", {"addresses": addresses, "name": "router"}),
        ("dial", {"addresses": addresses, "role": "access", "count": access}),
    ]
    with _running(tiers) as children:
        found = _figures(children)
    del found["relay_idle_share"]
    return found


def _figures(children: Sequence[LinksChild]) -> dict[str, Any]:
    """Return the figures of processes that hold all their links."""
    before, began = [child.ask("cpu") for child in children], time.monotonic()
    time.sleep(IDLE_S)
    took_s = time.monotonic() - began
    shares = [
        (child.ask("cpu") - cpu_s) / took_s for child, cpu_s in zip(children, before, strict=True)
    ]
    each = [child.ask("figures") for child in children]
    return {
        "links": sum(figures["links"] for figures in each),
        "connections": sum(figures["links"] for figures in each) * LANES,
        "set_up_s": round(max(figures["set_up_s"] for figures in each), 2),
        "memory_mb": round(sum(figures["memory_mb"] for figures in each), 1),
        "files": sum(figures["files"] for figures in each),
        "idle_share": round(sum(shares), 3),
        "relay_idle_share": shares[0],
    }


@contextmanager
def _running(tiers: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[list[LinksChild]]:
    """Start a process for each tier, the one that listens first; they end with the block."""
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        children: list[LinksChild] = []
        for role, arguments in tiers:
            child = LinksChild(role, log, **arguments)
            stack.callback(child.stop)
            children.append(child)
            if role == "listen":
                child.hear()
        for child in children[1:]:
            child.hear()
        yield children


def _addresses(count: int) -> list[str]:
    """Return `count` addresses of three free ports."""
    base = free_port_base(3 * count)
    ports = [f"tcp://127.0.0.1:{port}" for port in range(base, base + 3 * count)]
    return [",".join(ports[first : first + 3]) for first in range(0, 3 * count, 3)]


def _raised_limit() -> int:
    """Let this process and its children open as many files as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def readable(result: dict[str, Any]) -> str:
    """Return the figures as a table for eyes."""
    line = "{:>6} {:>7} {:>6} | {:<9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>7}"
    names = "access routers relays way links set_up_s memory_mb files idle copy_us"
    lines = [line.format(*names.split())]
    for row in result["rows"]:
        pair = (row["access"], row["routers"], row["relays"])
        for way, key in (("relayed", "held"), ("full_mesh", "full_mesh")):
            found = row[way]
            figures = (
                (row["computed"][key], "computed", "", "", "", "")
                if found is None
                else (
                    found["links"],
                    found["set_up_s"],
                    found["memory_mb"],
                    found["files"],
                    found["idle_share"],
                    found.get("copy_us", ""),
                )
            )
            lines.append(line.format(*pair, way, *figures))
    lines.append(f"a process holds {result['most_links']:,} links here")
    return "\n".join(lines)
