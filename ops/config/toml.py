"""Writing TOML: config files, examples with their documentation, and masked views."""

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec

from ops.config.check import Nested, value_at
from ops.config.schema import Key, Path, Tables, keys_of, table_paths

MASK = "********"
RELOADS_SIGN = "(reloads)"
_USERINFO = re.compile(r"(?<=://)[^@/\s]*@")


def value_text(value: Any) -> str:
    """Return `value` as TOML; raises `TypeError` for a kind that TOML lacks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(value_text, value)) + "]"
    if isinstance(value, Mapping):
        pairs = (f"{value_text(str(name))} = {value_text(inner)}" for name, inner in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    raise TypeError(f"{type(value).__name__} has no form in TOML")


def document(tables: Mapping[str, Any]) -> str:
    """Return nested `tables` as a TOML document; values of `None` are left out."""
    lines: list[str] = []
    _write_table(lines, (), tables)
    return "\n".join(lines).strip() + "\n"


def example(role: str, tables: Tables) -> str:
    """Return the documented example config of `role`: every key with its default."""
    lines = _wrapped(
        f"Config of one {role} node: `relaymesh {role} --config FILE`. Every key stands here with "
        "its default; leave out what you don't change. Environment variables "
        "(RELAYMESH_<TABLE>__<KEY>) override this file, and `--set TABLE.KEY=VALUE` overrides both."
    )
    lines += _wrapped(
        f"{RELOADS_SIGN} marks what a running node takes over, on SIGHUP or when its file changes; "
        "all else waits for a restart."
    )
    lines += _wrapped(f"Made by `relaymesh config example {role}`; a test keeps it up to date.")
    keys = keys_of(tables).values()
    for path, summary in table_paths(tables).items():
        lines += ["", *_wrapped(summary), f"[{'.'.join(path)}]"]
        for key in keys:
            if key.path[:-1] == path:
                lines += ["", *_documented(key)]
    return "\n".join(lines) + "\n"


def masked(tables: Tables, nested: Nested) -> Nested:
    """Return what is given over the defaults, with secrets and passwords in URLs unreadable.

    A key without a default that is not given is left out.
    """
    shown: Nested = {}
    for key in keys_of(tables).values():
        value = value_at(nested, key.path)
        value = key.default if value is None else value
        if value is not msgspec.NODEFAULT:
            table = shown
            for name in key.path[:-1]:
                table = table.setdefault(name, {})
            table[key.path[-1]] = _masked_value(value, secret=key.secret)
    return shown


def _masked_value(value: Any, *, secret: bool) -> Any:
    if secret:
        return MASK if value else value
    if isinstance(value, str):
        return _USERINFO.sub(MASK + "@", value)
    if isinstance(value, list):
        return [_masked_value(each, secret=False) for each in value]
    return value


def _write_table(lines: list[str], path: Path, table: Mapping[str, Any]) -> None:
    plain = {name: value for name, value in table.items() if not _is_table(path, value)}
    if path and (plain or not table):
        lines += ["", f"[{'.'.join(path)}]"]
    lines += [f"{name} = {value_text(value)}" for name, value in plain.items() if value is not None]
    for name, value in table.items():
        if _is_table(path, value):
            _write_table(lines, (*path, name), value)


def _is_table(path: Path, value: object) -> bool:
    return isinstance(value, Mapping) and (not path or bool(value))


def _documented(key: Key) -> list[str]:
    sign = f" {RELOADS_SIGN}" if key.reloads else ""
    lines = _wrapped(_sentence(key.description) + sign)
    if key.default is msgspec.NODEFAULT or key.default is None:
        return [*lines, f"# {key.path[-1]} ="]
    return [*lines, f"{key.path[-1]} = {value_text(key.default)}"]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 98, initial_indent="# ", subsequent_indent="# ")
