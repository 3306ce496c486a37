"""The tables that every node's config file has, whatever its role."""

from typing import Annotated, Literal

import msgspec

from proto.settings_types import RELOADS

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which node this is and where its health endpoints listen."""

    id: Annotated[
        str,
        msgspec.Meta(
            description="Name of this node, unique in the cluster. Empty: the role and the process "
            "id, which is enough for one node alone.",
            pattern=r"^[A-Za-z0-9._-]{0,64}$",
        ),
    ] = ""
    region: Annotated[
        str,
        msgspec.Meta(
            description="Region of this node: it dials the relays of its own region.",
            pattern=r"^[A-Za-z0-9._-]{1,64}$",
        ),
    ] = "local"
    http: Annotated[
        str,
        msgspec.Meta(
            description="HOST:PORT of /healthz, /readyz and /metrics, and of a router's gateway. "
            "Loopback by default because the endpoints have no authentication; port 0 takes a "
            "free one.",
            pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
            examples=["127.0.0.1:7780"],
        ),
    ] = "127.0.0.1:0"
    http_connections: Annotated[
        int,
        msgspec.Meta(
            description="Connections to `http` at a time; beyond it others are answered 503 with "
            "Retry-After. 1,000: clients ask the gateway once for each connect, and are gone.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    drain_s: Annotated[
        float,
        msgspec.Meta(
            description="Seconds that a stopping node may spend on draining before it is cut. Five "
            "let a busy node hand over and stay below the ten that most supervisors grant.",
            ge=0,
            le=600,
        ),
    ] = 5.0


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is logged and how it looks."""

    level: Annotated[
        Level,
        RELOADS,
        msgspec.Meta(description="Lowest level that is written. At `info` no line is per message."),
    ] = "info"
    format: Annotated[
        Format,
        msgspec.Meta(
            description="`json` is one object a line, `console` is for eyes, `auto` is console at "
            "a terminal and JSON elsewhere."
        ),
    ] = "auto"
