"""Writes the tables of docs/scale.md by its commands: `PYTHONPATH=. python docs/scale_tables.py`.

It takes half a minute; the same commands print the same figures on any machine.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ops.command import relaymesh

DOCUMENT = Path(__file__).with_name("scale.md")
HEADS = {
    "links": "| clients | access | routers | regions × relays | held | full mesh "
    "| of an access node | of a relay |",
    "copies": "| clients | messages/s | to relays | between regions | to nodes | to clients "
    "| KB on the mesh | heads/s |",
    "load": "| clients | access | dedicated | relay | router | logic | store | database |",
    "latency": "| clients | urgent | normal | bulk | hot rooms | moves/s | longest move |",
}
LANES = ("urgent", "normal", "bulk")
TIERS = ("access", "dedicated", "relay", "router", "logic", "store", "database")


def commands(text: str) -> list[list[str]]:
    """Return the words of each `relaymesh simulate` in the document's block of them."""
    joined = text.replace("\\\n", " ")
    lines = re.findall(r"^    relaymesh simulate (--clients .*)$", joined, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def figures(words: Sequence[str]) -> dict[str, Any]:
    """Return what the command prints with `--json`."""
    result = CliRunner().invoke(relaymesh, ["simulate", *words, "--json"])
    found: dict[str, Any] = json.loads(result.output)
    return found


def rows(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the row of each table."""
    of, links, copies = result["deployment"], result["links"], result["copies"]
    each, size, heat = copies["per_message"], result["bytes"]["per_message"], result["heat"]
    mesh = size["router_relay"] + size["bus_relay"] + size["relay_relay"] + size["relay_access"]
    clients = f"{of['clients']:,}"
    return {
        "links": _row(
            clients, f"{of['access']:,}", f"{of['routers']:,}", f"{of['regions']} × {of['relays']}",
            f"{links['held']:,}", f"{links['full_mesh']:,}", f"{links['per_node']['access']}",
            f"{links['per_node']['relay']:,}",
        ),
        "copies": _row(
            clients, f"{copies['messages_per_s']:,.0f}",
            f"{each['router_relay'] + each['bus_relay']:.2f}", f"{each['relay_relay']:.2f}",
            f"{each['relay_access']:,.1f}", f"{each['access_client']:,.0f}", f"{mesh / 1000:,.1f}",
            f"{sum(copies['heads_per_s'].values()):,}",
        ),
        "load": _row(clients, *(_load(result["load"].get(tier)) for tier in TIERS)),
        "latency": _row(
            clients, *(_latency(result["latency_ms"], lane) for lane in LANES),
            f"{heat['hot']:,} of {heat['over_threshold']:,}", f"{heat['moves_per_s']:,}",
            f"{heat['moving_s']['max']:,.0f} s",
        ),
    }  # fmt: skip


def with_tables(text: str, results: Iterable[Mapping[str, Any]]) -> str:
    """Return `text` with each table put between its markers."""
    made = [rows(result) for result in results]
    for name, head in HEADS.items():
        rule = "|" + "---|" * (head.count("|") - 1)
        table = "\n".join((head, rule, *(each[name] for each in made)))
        pattern = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(
            lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text
        )
        if count != 1:
            raise ValueError(f"expected one pair of `{name}` markers, found {count}")
    return text


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _load(tier: Mapping[str, Any] | None) -> str:
    return f"{tier['busiest']:.2f} ({tier['needed']:,})" if tier else ""


def _latency(latency: Mapping[str, Any], label: str) -> str:
    given = "" if latency["as_given"] else "*"
    return f"{latency[label]['p50']:,.0f} / {latency[label]['p99']:,.0f}{given}"


if __name__ == "__main__":
    document = DOCUMENT.read_text()
    DOCUMENT.write_text(with_tables(document, map(figures, commands(document))))
