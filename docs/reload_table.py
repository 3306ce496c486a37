"""Writes the table of docs/config.md that lists the keys which reload, from the settings:
`PYTHONPATH=. python docs/reload_table.py`."""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ops.config.schema import keys_of, tables_of
from ops.roles import ROLES

CONFIG = Path(__file__).with_name("config.md")
MARKERS = re.compile(r"(<!-- reloads:[^\n]*-->\n).*?(<!-- /reloads -->)", re.DOTALL)


def table() -> str:
    """Return a row for each table of a config file that has such keys."""
    rows = dict.fromkeys(row for role in ROLES for row in _rows(role))
    return "\n".join(["| table | keys |", "|---|---|", *rows])


def with_table(text: str) -> str:
    """Return `text` with the table put between its markers; raises `ValueError` without any."""
    replaced, count = MARKERS.subn(lambda found: f"{found[1]}{table()}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"expected one pair of `reloads` markers, found {count}")
    return replaced


def _rows(role: str) -> Iterator[str]:
    keys = sorted(keys_of(tables_of(role)).values(), key=lambda key: key.path[:-1])
    for path, inside in groupby(keys, key=lambda key: key.path[:-1]):
        of_table = list(inside)
        names = [f"`{key.path[-1]}`" for key in of_table if key.reloads]
        if names:
            said = "all" if len(names) == len(of_table) and len(names) > 1 else ", ".join(names)
            yield f"| `[{'.'.join(path)}]` | {said} |"


if __name__ == "__main__":
    CONFIG.write_text(with_table(CONFIG.read_text()))
