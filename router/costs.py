"""What a lookup, a copy and a byte cost: the constants of the plan, each with its reason."""

from typing import Annotated

import msgspec


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the routing plan weighs, in microseconds of CPU over all nodes together."""

    round_trip_us: Annotated[
        float,
        msgspec.Meta(
            description="µs for one round trip to the route map, whatever it asks; records that "
            "came together share it. 130: measured for a lookup of one uid, both ends together.",
            ge=0,
            le=100_000,
        ),
    ] = 130.0
    lookup_us: Annotated[
        float,
        msgspec.Meta(
            description="µs for each uid in a lookup. 5: measured for lists of 50 and of 1,000 "
            "(4 here, 1 at the store).",
            ge=0,
            le=10_000,
        ),
    ] = 5.0
    copy_us: Annotated[
        float,
        msgspec.Meta(
            description="µs for one envelope over one link, sent and received. 14: a pynng batch "
            "costs 5 µs to send, 9 µs to receive, and a quiet link carries one envelope a batch.",
            ge=0,
            le=10_000,
        ),
    ] = 14.0
    uid_byte_us: Annotated[
        float,
        msgspec.Meta(
            description="µs for one byte of uids over one link: packed, unpacked, and looked up at "
            "the node. 0.007: measured 76 µs for 1,000 uids of ten characters.",
            ge=0,
            le=100,
        ),
    ] = 0.007
    body_byte_us: Annotated[
        float,
        msgspec.Meta(
            description="µs for one byte of body over one link. 0.0007: a batch of 20 kB costs "
            "28 µs, half of which a batch of any size costs.",
            ge=0,
            le=100,
        ),
    ] = 0.0007
