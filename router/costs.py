"""What a lookup, a copy and a byte cost: the constants of the plan, each with its reason."""

from typing import Annotated

import msgspec


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the routing plan weighs, in microseconds of CPU over all nodes together."""

    lookup_us: Annotated[
        float,
        msgspec.Meta(
            description="µs to look one uid up in the route map. 20: pipelined commands through "
            "redis-py cost 20 µs each on both ends together (49,000 a second and core).",
            ge=0,
            le=10_000,
        ),
    ] = 20.0
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
            "the node. 0.01: a header of 100 uids of ten bytes takes 10 µs for all three.",
            ge=0,
            le=100,
        ),
    ] = 0.01
    body_byte_us: Annotated[
        float,
        msgspec.Meta(
            description="µs for one byte of body over one link. 0.0007: a batch of 20 kB costs "
            "28 µs, half of which a batch of any size costs.",
            ge=0,
            le=100,
        ),
    ] = 0.0007
