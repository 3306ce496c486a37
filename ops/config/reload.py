"""What a reload comes to: of a changed config, what a running node takes over. Pure.

The settings say which keys that are (`proto.settings_types.RELOADS`); no role decides for itself.
"""

from typing import Any, NamedTuple

import msgspec

from ops.config.check import Nested, value_at
from ops.config.load import NodeConfig, complete
from ops.config.schema import Key, Path, keys_of, tables_of
from ops.errors import Refusal


class Reload(NamedTuple):
    """What is in effect from now on, the keys taken over for that, and those that wait for a
    restart; `reason` says why keys wait that could be taken over by themselves."""

    config: NodeConfig
    taken: tuple[str, ...]
    waiting: tuple[str, ...]
    reason: str = ""


def reload(running: NodeConfig, new: NodeConfig) -> Reload:
    """Return `running` with each marked key as in `new`; all else stays as it was at the start.

    Where what can be taken over does not fit to what can't, nothing is: all that differs waits.
    """
    old, given = _nested(running), _nested(new)
    keys = keys_of(tables_of(running.role)).values()
    changed = [key for key in keys if value_at(old, key.path) != value_at(given, key.path)]
    taken = [key for key in changed if key.reloads]
    for key in taken:
        _put(old, key.path, value_at(given, key.path))
    try:
        config = complete(running.role, old)
    except Refusal as refusal:
        return Reload(running, (), _dotted(changed), refusal.message)
    return Reload(config, _dotted(taken), _dotted([key for key in changed if not key.reloads]))


def postponed(found: Reload, running: NodeConfig, reason: str) -> Reload:
    """Return what is left of `found` where the role can't take it over as it runs."""
    return Reload(running, (), (*found.taken, *found.waiting), reason)


def _nested(config: NodeConfig) -> Nested:
    tables = {"node": config.node, "log": config.log, config.role: config.own}
    return {name: msgspec.to_builtins(table) for name, table in tables.items()}


def _put(nested: Nested, path: Path, value: Any) -> None:
    table = nested
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value


def _dotted(keys: list[Key]) -> tuple[str, ...]:
    return tuple(key.dotted for key in keys)
