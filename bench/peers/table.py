"""The rows as a table for eyes."""

from collections.abc import Sequence
from typing import Any

HEAD = (
    "server",
    "1000 × 100/s: p50 / p99 ms, CPU µs",
    "5000 × 20/s: the same",
    "saturation, 1000 conns",
    "KB per idle connection",
    "connect + join /s",
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        _busy(row["busy_1000"]),
        _busy(row["busy_5000"]),
        _saturation(row["saturation"]),
        str(row["idle_kb_per_connection"]),
        f"{row['connects_per_s']:,}",
    )


def _busy(figures: dict[str, Any]) -> str:
    text = f"{figures['p50_ms']:g} / {figures['p99_ms']:g}, {figures['cpu_us_per_delivery']:g}"
    return f"{text}; {figures['lost']:,} lost" if figures["lost"] else text


def _saturation(figures: dict[str, Any]) -> str:
    if not figures["deliveries_per_s"]:
        return "none within 150 ms"
    return f"{figures['deliveries_per_s'] / 1000:,.0f}k/s at p99 {figures['p99_ms']:g} ms"
