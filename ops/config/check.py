"""The checks: unknown keys, wrong types and values out of range are refused by name."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec

from ops.config.schema import (
    Key,
    Path,
    Tables,
    inner_tables,
    is_array,
    is_mapping,
    keys_of,
    plain,
    table_paths,
)
from ops.config.sources import Given, Values
from ops.errors import Refusal

Nested = dict[str, Any]
"""Tables by name, with the values of their keys in the form of TOML."""


def checked(tables: Tables, values: Values) -> Nested:
    """Return `values` as nested tables, each key checked by itself.

    Raises `Refusal` that names every key that is unknown, of a wrong type or out of range.
    """
    keys = keys_of(tables)
    nested: Nested = {name: {} for name in tables}
    complaints = [_put(nested, keys, tables, path, given) for path, given in values.items()]
    if any(complaints):
        raise Refusal("\n".join(filter(None, complaints)))
    return nested


def missing(tables: Tables, nested: Nested) -> list[str]:
    """Return the keys that have no default and are not given."""
    required = (key for key in keys_of(tables).values() if key.default is msgspec.NODEFAULT)
    return [key.dotted for key in required if value_at(nested, key.path) is None]


def typed(tables: Tables, nested: Nested) -> dict[str, msgspec.Struct]:
    """Return each table as its Struct, filled with what is given over the defaults.

    Raises `Refusal` that names what is missing, or what a table's own rules refuse.
    """
    absent = missing(tables, nested)
    if absent:
        raise Refusal("\n".join(f"{name}: has no default and must be given" for name in absent))
    return {name: _convert(name, nested[name], struct) for name, struct in tables.items()}


def refuse_inner(tables: Tables, nested: Nested) -> None:
    """Run the rules of each inner table that has all its keys, though an outer one may lack some.

    Raises `Refusal` as `typed` does.
    """
    absent = missing(tables, nested)
    for name, struct in tables.items():
        for inner, kind in inner_tables(struct).items():
            dotted = f"{name}.{inner}"
            if not any(key.startswith(f"{dotted}.") for key in absent):
                _convert(dotted, nested[name].get(inner, {}), kind)


def value_at(nested: Nested, path: Path) -> Any:
    """Return the value at `path`, or `None` if there is none."""
    found: Any = nested
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _put(
    nested: Nested, keys: Mapping[Path, Key], tables: Tables, path: Path, given: Given
) -> str | None:
    """Put the value in its place; returns a complaint if that can't be done."""
    key = keys.get(path)
    if key is None:
        return _unknown(path, given, keys, table_paths(tables))
    try:
        value = msgspec.convert(_read(key, given), key.annotation, strict=not given.text)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        return f"{key.dotted}: {_expectation(key, error)}, {_kind(key, given)} ({given.source})"
    table = nested
    for name in path[:-1]:
        table = table.setdefault(name, {})
    table[path[-1]] = msgspec.to_builtins(value)
    return None


def _read(key: Key, given: Given) -> Any:
    """Return the value in the form of TOML: a text from a flag may be a list or a table."""
    if not given.text or not (is_array(key.annotation) or is_mapping(key.annotation)):
        return given.value
    text = given.value.strip()
    if text.startswith(("[", "{")):
        return tomllib.loads(f"value = {text}")["value"]
    return [part.strip() for part in text.split(",")] if text else []


def _convert(name: str, data: dict[str, Any], struct: type[msgspec.Struct]) -> msgspec.Struct:
    """Convert a whole table: this also runs the Struct's own rules across its keys."""
    try:
        return msgspec.convert(data, struct)
    except msgspec.ValidationError as error:
        raise Refusal(_by_name(name, str(error))) from None


def _by_name(table: str, message: str) -> str:
    """Name the key in full: a table's own rule starts its message with the key's last name."""
    text, _, inner = message.partition(" - at `$")
    return f"{table}{inner.rstrip('`')}.{text}"


def _expectation(key: Key, error: Exception) -> str:
    """Say what is allowed: the words of a choice, an example of a form, else what msgspec says."""
    if get_origin(plain(key.annotation)) is Literal:
        return "expected " + " or ".join(map(repr, get_args(plain(key.annotation))))
    message = str(error).split(" - at `")[0].split(", got ")[0]
    if "matching regex" in message and key.examples:
        return f"expected text such as {key.examples[0]}"
    return message[0].lower() + message[1:]


def _kind(key: Key, given: Given) -> str:
    """Say what was given: its kind and, unless it is a secret, the value."""
    names = {str: "text", int: "integer", float: "number", bool: "boolean", list: "array"}
    kind = names.get(type(given.value), "table" if isinstance(given.value, dict) else "date")
    return f"got {kind}" if key.secret else f"got {kind} {_short(given.value)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _unknown(path: Path, given: Given, keys: Iterable[Path], tables: Mapping[Path, str]) -> str:
    name = ".".join(path)
    if path in tables:
        return f"{name}: is a table of keys, not a value ({given.source})"
    near = _nearest(name, [".".join(key) for key in keys])
    hint = f"; did you mean {near}?" if near else ""
    return f"{name}: unknown key{hint} ({given.source})"


def _nearest(name: str, known: list[str]) -> str | None:
    """Return the known key most like `name`: first by the whole path, then by its last part."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if near:
        return near[0]
    last = {key.rpartition(".")[2]: key for key in known}
    found = difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.75)
    return last[found[0]] if found else None
