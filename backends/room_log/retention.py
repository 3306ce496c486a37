"""How long and how much a room log keeps."""

from typing import Annotated

from msgspec import Meta, Struct

HEADS_BEYOND_S = 60.0
"""As long an outage as heads may have to outlast, beyond the age of the messages."""


class Retention(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds of each room's log, the same for all nodes of a cluster; the numbering outlives the
    messages by far."""

    messages: Annotated[
        int,
        Meta(
            description="Messages kept for each room and priority. 1,000 let a client that was"
            " away for ten seconds of a room with 100 a second come back without a gap.",
            ge=10,
            le=100_000,
        ),
    ] = 1000
    age_s: Annotated[
        float,
        Meta(
            description="Seconds for which a message is kept. A minute covers a train's tunnel and"
            " a restarted node; older live chat is of no use.",
            ge=1,
            le=86_400,
        ),
    ] = 60.0
    dedup_s: Annotated[
        float,
        Meta(
            description="Seconds for which the same message id publishes nothing again. Five"
            " minutes are the longest that a client goes on repeating.",
            ge=1,
            le=86_400,
        ),
    ] = 300.0
    numbering_s: Annotated[
        float,
        Meta(
            description="Seconds after its last urgent or normal message for which a room keeps its"
            " epoch and numbers. A week: a client that comes back later starts anew.",
            ge=60,
            le=31_536_000,
        ),
    ] = 604_800.0
    silent_s: Annotated[
        float,
        Meta(
            description="The same for a room in which nobody has spoken, after it was last joined."
            " An hour: anybody may join any name, and must not fill the store with them.",
            ge=60,
            le=31_536_000,
        ),
    ] = 3600.0

    @property
    def active_s(self) -> float:
        """Seconds after its last message for which a room's heads are repeated. Longer than the
        message itself is kept: one that was lost on the way and is gone from the log by the time
        that heads get through again is still told, as a reset."""
        return self.age_s + HEADS_BEYOND_S
