"""What can be tuned of groups; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct


class GroupSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Groups: how large they may be."""

    max_members: Annotated[
        int,
        Meta(
            description="Most members of a group. 100,000: a switch between normal and hot writes a"
            " row for each of them.",
            ge=1,
            le=1_000_000,
        ),
    ] = 100_000
