"""What can be tuned of contacts; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct


class ContactSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Contacts: how many one may have."""

    max_friends: Annotated[
        int,
        Meta(
            description="Most friends of a user, and most requests that it has open, of its own or"
            " of others. 5,000: more than anybody knows; each request counts them.",
            ge=1,
            le=100_000,
        ),
    ] = 5000
