"""What there is to show at one look: rows and totals, made of one answer of `/v1/status`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.watch.rates import Rates

LANES = ("urgent", "normal", "bulk")


@dataclass(slots=True)
class Row:
    """One node. `per_s` are envelopes over its links, by lane, both ways."""

    region: str
    node: str
    role: str
    state: str
    links: int
    connections: int
    rooms: int
    waiting: float
    lag: float
    silent_s: float = 0.0
    drops_per_s: float = 0.0
    per_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LANES, 0.0))
    deliveries_per_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole cluster. `silent` are regions that do not answer."""

    rows: list[Row]
    silent: list[str]
    rooms: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    links: dict[str, Any]

    @property
    def regions(self) -> list[str]:
        """The names of the regions, in order."""
        return sorted({*(row.region for row in self.rows), *self.silent})

    def deliveries_per_s(self, lane: str) -> float:
        """Return the messages handed to clients on `lane`, a second, over all access nodes."""
        return sum(row.deliveries_per_s.get(lane, 0.0) for row in self.rows)


def picture(status: Mapping[str, Any], rates: Rates) -> Picture:
    """Return what `status` shows, with the rates since the look before."""
    rows = {}
    for region, node in _nodes(status):
        rows[region, node["id"]] = _row(region, node, rates)
    for region, node in _nodes(status):
        _add_traffic(rows, region, node, rates)
    others = status.get("regions", ())
    return Picture(
        rows=sorted(
            rows.values(), key=lambda row: (row.region, row.state == "up", _by_number(row))
        ),
        silent=[each["region"] for each in others if not each["answers"]],
        rooms=[room for room in status.get("rooms", ()) if isinstance(room, dict)],
        alerts=list(status.get("alerts", ())),
        links=status["links"],
    )


def _by_number(row: Row) -> list[tuple[int, str]]:
    """access-2 before access-10."""
    parts = re.findall(r"\d+|\D+", row.node)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _nodes(status: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    own = status.get("region", "local")
    for place in ({"region": own, **status}, *status.get("regions", ())):
        for node in (*place["nodes"], *place.get("lost", ())):
            yield place["region"], node


def _row(region: str, node: dict[str, Any], rates: Rates) -> Row:
    said = node.get("status", {})
    counts = {"drops": _total(node.get("drops")), **said.get("deliveries", {})}
    per_s = rates.look(f"{region}/{node['id']}", _life(node), said.get("at_s", 0.0), counts)
    return Row(
        region=region,
        node=node["id"],
        role=node["role"],
        state=_state(node, said),
        links=node.get("links", 0),
        connections=node.get("connections") or 0,
        rooms=node.get("rooms") or 0,
        waiting=_total(node.get("lane_depths")),
        lag=_total(node.get("lag")),
        silent_s=node.get("silent_s", 0.0),
        drops_per_s=per_s.get("drops", 0.0),
        deliveries_per_s=per_s,
    )


def _state(node: dict[str, Any], said: Mapping[str, Any]) -> str:
    if not node["up"]:
        return "down"
    if said.get("draining"):
        return "draining"
    waits = said.get("ready") is False or (node["role"] != "relay" and not node.get("links"))
    return "waiting" if waits else "up"


def _add_traffic(
    rows: Mapping[tuple[str, str], Row], region: str, node: dict[str, Any], rates: Rates
) -> None:
    """Count each link at both of its ends."""
    said = node.get("status", {})
    for relay, link in said.get("uplinks", {}).items() if node["up"] else ():
        counts = {lane: link["lanes"][lane]["in"] + link["lanes"][lane]["out"] for lane in LANES}
        key = f"{region}/{node['id']}>{relay}"
        per_s = rates.look(key, _life(node), said.get("at_s", 0.0), counts)
        for end in (node["id"], relay):
            if (region, end) in rows:
                _add(rows[region, end].per_s, per_s)


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for lane, rate in more.items():
        total[lane] += rate


def _life(node: Mapping[str, Any]) -> str:
    return str(node.get("incarnation", ""))


def _total(table: Any) -> float:
    values = table.values() if isinstance(table, dict) else ()
    return sum(value for value in values if isinstance(value, int | float))
