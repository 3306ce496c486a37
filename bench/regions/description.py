"""What there is: regions, and the hosts in each. Pure."""

from dataclasses import dataclass, field
from typing import NamedTuple

ROLES = ("relay", "access", "router", "logic")
STORE = "store"
POOL = "spare"


class Host(NamedTuple):
    """A place for one process: `name` is `relay-1`, `access-2`, … or `store` (the Redis)."""

    region: str
    name: str

    @property
    def role(self) -> str:
        """What runs there."""
        return self.name.partition("-")[0]

    @property
    def number(self) -> int:
        """Which of its role it is in its region, from 1 on; 0 for the store."""
        return int(self.name.partition("-")[2] or 0)

    def __str__(self) -> str:
        return f"{self.region}-{self.name}"


@dataclass(frozen=True, kw_only=True)
class Description:
    """The regions by name, which one has the database of instant messages, and how many nodes of
    each role every region has. `rooms` are the homes of those that are not left to the hash."""

    names: tuple[str, ...] = ("eu", "us", "ap")
    im: str = "eu"
    rooms: dict[str, str] = field(default_factory=dict)
    relays: int = 2
    spare_relays: int = 1
    """Relays that have a place and are not started."""
    access: int = 2
    dedicated: tuple[str, ...] = ()
    """Regions that have one more access node, which is for hot rooms alone: their `POOL`."""
    routers: int = 1
    logics: int = 1

    def hosts(self, region: str) -> list[Host]:
        """Return the nodes of a region with which it begins, relays first."""
        access = self.access + (region in self.dedicated)
        counts = (self.relays, access, self.routers, self.logics)
        return [
            Host(region, f"{role}-{number}")
            for role, count in zip(ROLES, counts, strict=True)
            for number in range(1, count + 1)
        ]

    def is_dedicated(self, host: Host) -> bool:
        """Return whether an access node is for hot rooms alone."""
        return host.role == "access" and host.number > self.access

    def relays_of(self, region: str) -> list[Host]:
        """Return all relays that a region may have, the spare ones last."""
        numbers = range(1, self.relays + self.spare_relays + 1)
        return [Host(region, f"relay-{number}") for number in numbers]
