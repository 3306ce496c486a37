"""Where values come from: a TOML file, `RELAYMESH_<TABLE>__<KEY>` variables, `--set` flags.

Each source gives a flat table of key path to value, remembering where it came from; a later source
wins over an earlier one.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from ops.config.schema import Path
from ops.errors import Refusal

ENV_PREFIX = "RELAYMESH_"
ENV_SEPARATOR = "__"
SECRET_VARIABLE = "RELAYMESH_TOKEN_SECRET"
"""Read by `relaymesh token` and `check` alone."""
RECEIPT_SECRET_VARIABLE = "RELAYMESH_RECEIPT_SECRET"
"""Read by `relaymesh receipt` and `check` alone."""

NO_KEYS = frozenset(
    {
        SECRET_VARIABLE,
        RECEIPT_SECRET_VARIABLE,
        "RELAYMESH_ROCKETMQ_LIBRARY",
        "RELAYMESH_TEST_ROCKETMQ",
    }
)
"""Variables with our prefix that are no key of a config."""


class Given(NamedTuple):
    """A value that a user gave, and where; `text` says that its type is still to be read."""

    value: Any
    source: str
    text: bool = False


Values = dict[Path, Given]


def read_toml(file: FilePath) -> dict[str, Any]:
    """Return the content of `file`; raises `Refusal` if it can't be read or is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refusal(f"{file}: not valid UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"{file}: not valid TOML: {error}") from None


def from_tables(data: Mapping[str, Any], tables: Iterable[Path], source: str) -> Values:
    """Return the leaves of nested `data`: what is no table of `tables` is a value, so that an
    unknown table shows up as an unknown key."""
    known = frozenset(tables)
    found: Values = {}

    def descend(path: Path, table: Mapping[str, Any]) -> None:
        for name, value in table.items():
            here = (*path, name)
            if isinstance(value, dict) and here in known:
                descend(here, value)
            else:
                found[here] = Given(value, source)

    descend((), data)
    return found


def from_environment(environment: Mapping[str, str]) -> Values:
    """Return what the `RELAYMESH_…` variables say, for example `RELAYMESH_LOG__LEVEL=debug`."""
    found: Values = {}
    for name, text in sorted(environment.items()):
        if name.startswith(ENV_PREFIX) and name not in NO_KEYS:
            path = tuple(name[len(ENV_PREFIX) :].lower().split(ENV_SEPARATOR))
            found[path] = Given(text, f"environment variable {name}", text=True)
    return found


def from_flags(flags: Iterable[str]) -> Values:
    """Return what `--set table.key=value` flags say; raises `Refusal` for another form."""
    found: Values = {}
    for flag in flags:
        name, equals, text = flag.partition("=")
        if not equals or "." not in name:
            raise Refusal(f"--set {name}: expected TABLE.KEY=VALUE, for example log.level=debug")
        found[tuple(name.strip().split("."))] = Given(text, f"--set {name}", text=True)
    return found
