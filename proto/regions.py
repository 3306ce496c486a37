"""Regions and homes: which region alone numbers the messages of a room, conversation or user."""

from typing import Annotated

import msgspec
from msgspec import Meta

from proto.ids import ROOM_PATTERN
from proto.rendezvous import carrier

REGION_PATTERN = r"^[a-z0-9][a-z0-9\-]{0,15}\Z"

Region = Annotated[str, Meta(pattern=REGION_PATTERN)]
Room = Annotated[str, Meta(pattern=ROOM_PATTERN)]


class Regions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The regions of the whole cluster: the table `regions`, the same on every node."""

    names: Annotated[
        tuple[Region, ...],
        Meta(
            description="All regions, this one included, in any order. Empty: this is the only "
            "one. A room's home follows from the names, so that adding a region moves its share "
            "of the rooms.",
            max_length=64,
        ),
    ] = ()
    im: Annotated[
        str,
        Meta(
            description="The region with the instant messages' database: conversations, mailboxes "
            "and users' routes are at home there. Needed where there are `names`.",
        ),
    ] = ""
    rooms: Annotated[
        dict[Room, Region],
        Meta(description="Homes of rooms that are not to be left to the hash: room = region."),
    ] = {}

    def __post_init__(self) -> None:
        """Refuse tables that name a region twice, or one that there is not."""
        for name in self.names:
            if self.names.count(name) > 1:
                raise ValueError(f"names: region {name!r} is there twice")
        if self.names and self.im not in self.names:
            raise ValueError(f"im: expected one of {', '.join(self.names)}, got {self.im!r}")
        for room, region in self.rooms.items():
            if region not in self.names:
                raise ValueError(f"rooms.{room}: region {region!r} is none of `names`")

    def others(self, own: str) -> tuple[str, ...]:
        """Return the regions beside `own`."""
        return tuple(name for name in self.names if name != own)

    def home_of_room(self, room: str) -> str:
        """Return the region that numbers the messages of `room`; "" where there is but one."""
        return self.rooms.get(room) or carrier(room, self.names) or ""

    @property
    def home_of_users(self) -> str:
        """The region of conversations, mailboxes and routes; "" where there is but one."""
        return self.im


ONE_REGION = Regions()


def service_in(service: bytes, region: str) -> bytes:
    """Return the key of a REQUEST that `service` in `region` is to answer; "" is one's own."""
    return service + b"@" + region.encode() if region else service


def region_of(key: bytes) -> tuple[bytes, str]:
    """Return the service that a REQUEST's key names, and its region ("": one's own)."""
    service, _, region = key.partition(b"@")
    return service, region.decode()
