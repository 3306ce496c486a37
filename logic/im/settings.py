"""What can be tuned of instant messaging; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct

from mesh.serving import Bounds
from proto.settings_types import RELOADS


class ImSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Instant messages: how many are committed together, what may be taken back, who is told."""

    commit_most: Annotated[
        int,
        Meta(
            description="Most messages of one transaction. 200 take about ten milliseconds on"
            " SQLite, which other transactions wait for.",
            ge=1,
            le=10_000,
        ),
    ] = 200
    commit_pace_s: Annotated[
        float,
        Meta(
            description="Seconds between the beginnings of two transactions: what comes meanwhile"
            " shares the next one. Five thousandths: two hundred a second leave the processor to"
            " the messages, and nobody sees the delay.",
            ge=0,
            le=1,
        ),
    ] = 0.005
    at_work: Annotated[
        int,
        RELOADS,
        Meta(
            description="Most requests about instant messages that are worked on at once. 256: they"
            " wait for a transaction that they share, so many at once cost little.",
            ge=1,
            le=65_536,
        ),
    ] = 256
    waiting: Annotated[
        int,
        RELOADS,
        Meta(
            description="Requests about instant messages that wait for their turn; beyond that they"
            " are answered `overloaded` at once. 2,048 are about a second of work.",
            ge=0,
            le=1_000_000,
        ),
    ] = 2048
    wait_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that such a request may wait: behind one that has waited for"
            " longer, the next is answered `overloaded`. Half a second: refused early, a client"
            " tries elsewhere.",
            ge=0,
            le=60,
        ),
    ] = 0.5
    recall_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for which one may take back a message of one's own; the owner and"
            " the admins of a group may at any time. Two minutes, as messengers do.",
            ge=0,
            le=31_536_000,
        ),
    ] = 120.0
    receipts_members: Annotated[
        int,
        RELOADS,
        Meta(
            description="Most members of a group whose members see who has read what. Each read of"
            " a message by a member is told to all others: with 100 members it is 10,000 pushes a"
            " message at worst.",
            ge=0,
            le=1000,
        ),
    ] = 100
    typing_members: Annotated[
        int,
        RELOADS,
        Meta(
            description="Most members of a group whose members see who types. 200: in larger ones"
            " somebody always does.",
            ge=0,
            le=1000,
        ),
    ] = 200
    events_waiting: Annotated[
        int,
        Meta(
            description="Conversations with new messages that wait for a bus that is away. What is"
            " dropped beyond it the sweeper finds in the outbox. 20,000 are 10 MB.",
            ge=1,
            le=1_000_000,
        ),
    ] = 20_000
    sweep_s: Annotated[
        float,
        Meta(
            description="Seconds between two looks into the outbox, by any instance. Two: what a"
            " crash left there is late enough by then.",
            ge=0.1,
            le=60,
        ),
    ] = 2.0
    sweep_age_s: Annotated[
        float,
        Meta(
            description="Seconds for which a message may lie in the outbox before its event is put"
            " on the bus again. Two: a healthy cluster needs a hundredth of that.",
            ge=0,
            le=600,
        ),
    ] = 2.0
    sweep_most: Annotated[
        int,
        Meta(
            description="Most conversations of one sweep. 500 keep the sweep a matter of"
            " milliseconds; after a long outage several sweeps find the rest.",
            ge=1,
            le=100_000,
        ),
    ] = 500

    def bounds(self) -> Bounds:
        """Return the places of requests about instant messages. How long they take is a matter of
        the transaction that they share: fewer at once would make it no shorter."""
        return Bounds(self.at_work, self.waiting, self.wait_s, target_s=float("inf"))
