"""The table `access.user`."""

from typing import Annotated

from msgspec import Meta, Struct

from backends.rate_limit.interface import Rate
from backends.routes.interface import MAX_ROUTES


class UserSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one user (uid) may do over all connections; rates are of those to this node."""

    max_connections: Annotated[
        int,
        Meta(
            description="Connections of one user in the whole cluster; the newest is refused"
            " (`too_many_connections`, 4013). Where the store is away, and where users are at home"
            " in another region, of this node alone. 30: the 20 devices of `im.max_devices`, and"
            " some pages.",
            ge=1,
            lt=MAX_ROUTES,
        ),
    ] = 30
    frames_per_s: Annotated[
        float,
        Meta(
            description="Frames a second in the long run: two busy devices.",
            ge=1,
            le=100_000,
        ),
    ] = 100.0
    frames_burst: Annotated[
        int, Meta(description="Frames at once: three devices' bursts.", ge=1, le=1_000_000)
    ] = 300
    joins_per_s: Annotated[
        float,
        Meta(
            description="Joins of rooms a second in the long run: a few devices that browse.",
            ge=0.1,
            le=100_000,
        ),
    ] = 20.0
    joins_burst: Annotated[
        int,
        Meta(
            description="Joins at once: four devices that come back with 50 rooms each.",
            ge=1,
            le=1_000_000,
        ),
    ] = 200

    def frames_rate(self) -> Rate:
        """Return the rate of frames."""
        return Rate(self.frames_per_s, self.frames_burst)

    def joins_rate(self) -> Rate:
        """Return the rate of joins."""
        return Rate(self.joins_per_s, self.joins_burst)
