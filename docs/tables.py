"""Writes the tables of docs/protocol.md from the catalogues in proto/: `python docs/tables.py`."""

import re
from pathlib import Path

from proto import close_codes, errors

PROTOCOL = Path(__file__).with_name("protocol.md")


def error_table() -> str:
    """Return the error catalogue as a Markdown table."""
    rows = ["| code | meaning | repeat as it is |", "|---|---|---|"]
    for code, entry in errors.CATALOGUE.items():
        rows.append(f"| `{code}` | {entry.meaning} | {_yes(entry.retry)} |")
    return "\n".join(rows)


def close_code_table() -> str:
    """Return the close-code catalogue as a Markdown table."""
    rows = ["| code | meaning | reconnect |", "|---|---|---|"]
    for code, entry in close_codes.CATALOGUE.items():
        rows.append(f"| {code.value} | {entry.meaning} | {_yes(entry.reconnect)} |")
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """Return `text` with both tables put between their markers; raises `ValueError` without any."""
    text = _between(text, "errors", error_table())
    return _between(text, "close codes", close_code_table())


def _between(text: str, name: str, table: str) -> str:
    pattern = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda found: f"{found[1]}{table}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"expected one pair of `{name}` markers, found {count}")
    return replaced


def _yes(value: bool) -> str:
    return "yes" if value else "no"


if __name__ == "__main__":
    PROTOCOL.write_text(with_tables(PROTOCOL.read_text()))
