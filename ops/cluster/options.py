"""What `relaymesh up` was asked for."""

from pathlib import Path
from typing import Literal

import msgspec

from ops.cluster.plan import DEFAULT_PORT_BASE, Plan, plan
from ops.settings import Level


class UpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `relaymesh up`, as its `--help` explains them."""

    port_base: int = DEFAULT_PORT_BASE
    state_dir: Path = Path(".relaymesh")
    relays: int = 2
    access: int = 2
    routers: int = 1
    logics: int = 1
    most_dedicated: int = 4
    bus: Literal["redis", "rocketmq"] = "redis"
    bus_url: str = ""
    database_url: str = ""
    redis_server: Path | None = None
    log_level: Level = "info"
    flags: tuple[str, ...] = ()

    def plan(self) -> Plan:
        """Return the plan of the cluster; raises `Refusal` for counts or ports out of range."""
        return plan(
            self.port_base,
            routers=self.routers,
            access=self.access,
            relays=self.relays,
            logics=self.logics,
            dedicated=self.most_dedicated,
        )

    def flags_for(self, role: str) -> tuple[str, ...]:
        """Return the `--set` flags that name a table of `role`'s config."""
        return tuple(flag for flag in self.flags if flag.partition(".")[0] in ("node", "log", role))
