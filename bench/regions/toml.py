"""Writing config files. `ops` does it for its own cluster; what measures a cluster knows only the
command line and files, as any other user."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def document(tables: Mapping[str, Any]) -> str:
    """Return nested `tables` as a TOML document, one dotted key a line."""
    return "".join(f"{name} = {value}\n" for name, value in _keys(tables))


def _keys(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        path = above + json.dumps(name)
        if isinstance(value, Mapping):
            yield from _keys(value, path + ".")
        else:
            yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_text(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)
