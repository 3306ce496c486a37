"""For each key of a config a value that is not its default, and that may stand there."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec

from ops.config.schema import Key, plain

TEXTS = (
    "other",
    "NORMAL",
    "a" * 40,
    "127.0.0.1:7999",
    "/v9",
    "https://b.example",
    "wss://b.example",
    "redis://127.0.0.1:8/1",
    "sqlite:///other.db",
    "",
)


def another(key: Key, now: Any) -> Any:
    """Return a value of `key` that is allowed and is not `now`."""
    for value in _candidates(key, now):
        try:
            msgspec.convert(value, key.annotation)
        except msgspec.ValidationError:
            continue
        if value != now:
            return value
    raise AssertionError(f"{key.dotted}: give a value in `VALUES`")


def _candidates(key: Key, now: Any) -> Iterator[Any]:
    if get_origin(plain(key.annotation)) is Literal:
        yield from get_args(plain(key.annotation))
    elif isinstance(now, bool):
        yield not now
    elif isinstance(now, int):
        yield from (now + 1, now - 1)
    elif isinstance(now, float):
        yield from (now * 1.01, now + 0.5, now * 0.5)
    elif isinstance(now, str):
        yield from TEXTS
    elif isinstance(now, list | tuple):
        yield ["https://b.example"]
