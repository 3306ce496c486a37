"""Loading the config of one node: file, environment, flags, checks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from backends.tls.credentials import load as load_credentials
from backends.tls.settings import NO_TLS, TlsSettings
from ops.config.check import Nested, checked, typed
from ops.config.schema import Tables, role_names, table_paths, tables_of
from ops.config.sources import Values, from_environment, from_flags, from_tables, read_toml
from ops.errors import Refusal
from ops.roles import ROLES
from ops.settings import LogSettings, NodeSettings
from proto.certificate_names import covers
from proto.regions import ONE_REGION, Regions


class NodeConfig(NamedTuple):
    """The checked config of one node; `own` is the `Settings` of its role."""

    role: str
    node: NodeSettings
    log: LogSettings
    own: msgspec.Struct


def load(
    role: str, file: Path | None, environment: Mapping[str, str], flags: Sequence[str] = ()
) -> NodeConfig:
    """Return the config of a node of `role`; raises `Refusal` that names each wrong key."""
    return complete(role, given(role, file, environment, flags))


def given(
    role: str, file: Path | None, environment: Mapping[str, str], flags: Sequence[str] = ()
) -> Nested:
    """Return what file, environment and flags say, each key checked, without the defaults."""
    return from_sources(role, read_toml(file) if file else {}, str(file), environment, flags)


def from_sources(
    role: str,
    data: Mapping[str, Any],
    source: str,
    environment: Mapping[str, str],
    flags: Sequence[str] = (),
) -> Nested:
    """As `given`, with the file's content as nested tables and `source` as its name."""
    tables = tables_of(role)
    values = from_tables(data, table_paths(tables), source)
    values |= _for_role(from_environment(environment), tables)
    values |= from_flags(flags)
    return checked(tables, values)


def complete(role: str, nested: Nested) -> NodeConfig:
    """Return the config with the defaults; raises `Refusal` if a key without one is missing."""
    found = typed(tables_of(role), nested)
    node, log = found["node"], found["log"]
    assert isinstance(node, NodeSettings)
    assert isinstance(log, LogSettings)
    _require_own_region(node, found[role])
    _require_own_certificate(role, node, found[role])
    return NodeConfig(role, node, log, found[role])


def _require_own_region(node: NodeSettings, own: msgspec.Struct) -> None:
    """Raise `Refusal` unless the node's region is one of those that its role's settings name, and
    none that it links to as another."""
    regions: Regions = getattr(own, "regions", ONE_REGION)
    if regions.names and node.region not in regions.names:
        known = " or ".join(map(repr, regions.names))
        raise Refusal(f"node.region: expected {known}, as regions.names, got text {node.region!r}")
    if any(link.region == node.region for link in getattr(own, "links", ())):
        raise Refusal(f"relay.links: region {node.region!r} is this relay's own, as node.region")


def _require_own_certificate(role: str, node: NodeSettings, own: msgspec.Struct) -> None:
    """Raise `Refusal` unless the certificate is this node's, where both are given."""
    table, owner = ("tls", own) if role == "relay" else ("mesh.tls", getattr(own, "mesh", None))
    tls: TlsSettings = getattr(owner, "tls", NO_TLS)
    if not tls.on or not node.id:
        return
    name = load_credentials(tls.files).name
    if not covers(name, role, node.id):
        raise Refusal(
            f"{role}.{table}.cert_file: expected a certificate of {role}/{node.id}, as node.id, "
            f"{tls.cert_file} is of {name or 'nobody'}"
        )


def role_in(file: Path) -> str:
    """Return the role that `file` configures: the one whose table it has; raises `Refusal`."""
    found = [role for role in ROLES if role in read_toml(file)]
    if len(found) != 1:
        have = " and ".join(f"[{role}]" for role in found) or "none"
        wanted = ", ".join(f"[{role}]" for role in ROLES)
        raise Refusal(f"{file}: expected one role's table ({wanted}), has {have}; or give --role")
    return found[0]


def _for_role(values: Values, tables: Tables) -> Values:
    """Leave out what the environment says to other roles: one shell may start all of them."""
    others = role_names() - tables.keys()
    return {path: given for path, given in values.items() if path[0] not in others}
