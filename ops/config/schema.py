"""What keys a config may have, read from the settings Structs."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, NamedTuple, get_origin, get_type_hints

import msgspec

from ops.roles import ROLES, settings_of
from ops.settings import LogSettings, NodeSettings
from proto.settings_types import RELOAD_MARK, SECRET_MARK

Path = tuple[str, ...]
Tables = dict[str, type[msgspec.Struct]]


class Key(NamedTuple):
    """One key: its path, its type as annotated, and what its annotation says about it."""

    path: Path
    annotation: Any
    description: str
    default: Any
    secret: bool
    reloads: bool
    """Whether a running node takes a change over."""
    examples: tuple[Any, ...]

    @property
    def dotted(self) -> str:
        """The path as a user writes it, for example `node.http`."""
        return ".".join(self.path)


def tables_of(role: str) -> Tables:
    """Return the tables of a config file for `role`, in the order of the file."""
    return {"node": NodeSettings, "log": LogSettings, role: settings_of(role)}


def keys_of(tables: Tables) -> dict[Path, Key]:
    """Return every key of `tables` by its path; nested Structs are nested tables."""
    return {key.path: key for name, struct in tables.items() for key in _keys_of(name, struct)}


def table_paths(tables: Tables) -> dict[Path, str]:
    """Return the path and the docstring of each table, outer ones first."""
    found: dict[Path, str] = {}
    for name, struct in tables.items():
        found |= _tables((name,), struct)
    return found


def is_array(annotation: Any) -> bool:
    """Return whether a value of `annotation` is an array in TOML."""
    return bool({get_origin(plain(annotation)), plain(annotation)} & {list, tuple, set, frozenset})


def is_mapping(annotation: Any) -> bool:
    """Return whether a value of `annotation` is a table of names that the user chooses."""
    return bool({get_origin(plain(annotation)), plain(annotation)} & {dict})


def plain(annotation: Any) -> Any:
    """Return `annotation` without `Annotated`."""
    while get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    return annotation


def is_table(annotation: Any) -> bool:
    """Return whether a value of `annotation` is a table of keys that this schema lists."""
    kind = plain(annotation)
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def inner_tables(struct: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Return the Structs of the tables inside `struct` by their names."""
    hints = get_type_hints(struct, include_extras=True)
    fields = msgspec.structs.fields(struct)
    inner = {field.encode_name: hints[field.name] for field in fields}
    return {name: plain(kind) for name, kind in inner.items() if is_table(kind)}


def role_names() -> frozenset[str]:
    """Return the names of all tables that some role's config has."""
    return frozenset({"node", "log", *ROLES})


@cache
def _keys_of(name: str, struct: type[msgspec.Struct]) -> tuple[Key, ...]:
    """Once for each table: reading annotations takes tens of milliseconds, and a node that reloads
    has clients to serve."""
    return tuple(_keys((name,), struct))


def _keys(path: Path, struct: type[msgspec.Struct], *, reloads: bool = False) -> Iterator[Key]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        annotation = hints[field.name]
        here = (*path, field.encode_name)
        marked = reloads or _has_mark(annotation, RELOAD_MARK)
        if is_table(annotation):
            yield from _keys(here, plain(annotation), reloads=marked)
        else:
            yield _key(here, annotation, field, reloads=marked)


def _key(path: Path, annotation: Any, field: msgspec.structs.FieldInfo, *, reloads: bool) -> Key:
    metas = _metas(annotation)
    return Key(
        path,
        annotation,
        description=" ".join(meta.description for meta in metas if meta.description),
        default=_default(field),
        secret=_has_mark(annotation, SECRET_MARK),
        reloads=reloads,
        examples=tuple(example for meta in metas for example in meta.examples or ()),
    )


def _has_mark(annotation: Any, mark: str) -> bool:
    return any((meta.extra or {}).get(mark) for meta in _metas(annotation))


def _metas(annotation: Any) -> list[msgspec.Meta]:
    found = getattr(annotation, "__metadata__", ())
    return [meta for meta in found if isinstance(meta, msgspec.Meta)]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return msgspec.to_builtins(field.default) if not field.required else msgspec.NODEFAULT


def _tables(path: Path, struct: type[msgspec.Struct]) -> dict[Path, str]:
    found = {path: " ".join((struct.__doc__ or "").split("\n\n")[0].split())}
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        if is_table(hints[field.name]):
            found |= _tables((*path, field.encode_name), plain(hints[field.name]))
    return found
