"""The picture as rich draws it."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.watch.picture import LANES, Picture, Row

ROOMS = 5
ALERTS = 8
FRAME_LINES = 5
"""Of a table: its title, its head and its frame."""
LEAST_ROWS = 4
STATES = {"up": "green", "draining": "yellow", "waiting": "yellow", "down": "bold red"}
SEVERITIES = {"critical": "bold red", "warning": "yellow"}
HEAT = {"hot": "red", "normal": "dim"}
RIGHT = ("links", "connections", "rooms", "urgent/s", "normal/s", "bulk/s")
REST = ("waiting", "lag", "drops/s")


def screen(picture: Picture, height: int) -> RenderableType:
    """Return the whole cluster in `height` lines: totals, alerts, the hottest rooms, a table for
    each region. Where there is no room for all nodes, those in trouble and the busiest are shown.
    """
    above = [_totals(picture), *_alerts(picture), *_rooms(picture)]
    each = (height - len(above) - 1) // max(1, len(picture.regions))
    most = max(LEAST_ROWS, each - FRAME_LINES)
    return Group(*above, *(_region(picture, region, most) for region in picture.regions))


def away(reason: str, since_s: float | None) -> Text:
    """Return the line for a gateway that does not answer; `since_s`: what is shown is so old."""
    shown = "" if since_s is None else f"; shown as it was {since_s:.0f} s ago"
    return Text(f"The gateway does not answer ({reason}){shown}.", style="bold red")


def _totals(picture: Picture) -> Text:
    rows, links = picture.rows, picture.links
    relays = [row for row in rows if row.role == "relay"]
    up = sum(row.state != "down" for row in relays)
    lanes = ", ".join(f"{_rate(picture.deliveries_per_s(lane))} {lane}" for lane in LANES)
    connections = sum(row.connections for row in rows if row.state != "down")
    parts = [
        f"{connections} connections",
        f"deliveries/s: {lanes}",
        f"relays: {up} of {len(relays)} up",
        f"links: {links['held']} of {links.get('wanted', links['held'])}",
        f"full mesh: {links['full_mesh']}",
    ]
    return Text(" · ".join(parts), style="bold")


def _alerts(picture: Picture) -> Iterator[Text]:
    for alert in picture.alerts[:ALERTS]:
        severity = str(alert["severity"])
        where = f" ({alert['region']})" if len(picture.regions) > 1 else ""
        text = f"{severity}: {alert['summary']}{where}"
        yield Text(text, style=SEVERITIES.get(severity, ""))
    if len(picture.alerts) > ALERTS:
        yield Text(f"and {len(picture.alerts) - ALERTS} more alerts", style="dim")


def _rooms(picture: Picture) -> Iterator[Text]:
    for room in picture.rooms[:ROOMS]:
        state = str(room.get("state", ""))
        pool = f", pool {room['pool']}" if room.get("pool") else ""
        text = f"room {room.get('room')}: {state}{pool}, {room.get('online')} viewers, "
        text += f"{sum(room.get('per_s', ())):.1f} messages/s, {room.get('pressure', 0):.0%} of hot"
        yield Text(text, style=HEAT.get(state, "yellow"))


def _region(picture: Picture, region: str, most: int) -> RenderableType:
    if region in picture.silent:
        return Text(f"region {region} does not answer", style="bold red")
    table = Table(title=region, title_justify="left", title_style="bold cyan", expand=True)
    for name in ("node", "role", "state"):
        table.add_column(name, no_wrap=True)
    for name in RIGHT + REST:
        table.add_column(name, justify="right", no_wrap=True)
    rows = [row for row in picture.rows if row.region == region]
    shown = _first(rows, most)
    for row in shown:
        table.add_row(*_cells(row))
    if len(shown) < len(rows):
        table.add_row(Text(f"and {len(rows) - len(shown)} more", style="dim"))
    return table


def _first(rows: list[Row], most: int) -> list[Row]:
    """Return all `rows`, or of more than `most` those in trouble and then the busiest, in order."""
    if len(rows) <= most:
        return rows
    by_need = sorted(rows, key=lambda row: (row.state == "up", -sum(row.per_s.values())))
    kept = {id(row) for row in by_need[: most - 1]}
    return [row for row in rows if id(row) in kept]


def _cells(row: Row) -> Iterator[RenderableType]:
    silent = f" {row.silent_s:.0f} s" if row.state == "down" else ""
    yield row.node
    yield row.role
    yield Text(row.state + silent, style=STATES[row.state])
    yield str(row.links)
    yield str(row.connections) if row.role == "access" else "-"
    yield str(row.rooms) if row.rooms else "-"
    yield from (_rate(row.per_s[lane]) for lane in LANES)
    yield f"{row.waiting:.0f}"
    yield f"{row.lag:.0f}" if row.role == "router" else "-"
    yield Text(_rate(row.drops_per_s), style="red" if row.drops_per_s else "")


def _rate(per_s: float) -> str:
    return f"{per_s:.0f}" if per_s >= 10 or not per_s else f"{per_s:.1f}"
