"""What can be tuned of mailboxes; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import RELOADS


class HotSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a group becomes hot, and when it cools. The two are apart, so that no group goes to and
    fro."""

    members: Annotated[
        int,
        Meta(
            description="Members from which a group is hot. 1,000: a message is then a thousand"
            " rows, a hundredth of a second of the database.",
            ge=2,
            le=1_000_000,
        ),
    ] = 1000
    per_s: Annotated[
        float,
        Meta(
            description="Messages a second, over `window_s`, from which a group is hot. 20: more"
            " than anybody reads.",
            gt=0,
            le=100_000,
        ),
    ] = 20.0
    window_s: Annotated[
        float,
        Meta(
            description="Seconds over which messages are counted for `per_s`. Ten: a short burst"
            " is not worth a switch.",
            ge=1,
            le=3600,
        ),
    ] = 10.0
    cool_members: Annotated[
        int,
        Meta(
            description="Members below which a hot group may cool. 800: a fifth may come and go.",
            ge=1,
            le=1_000_000,
        ),
    ] = 800
    cool_per_s: Annotated[
        float,
        Meta(
            description="Messages a second, over `cool_window_s`, below which a hot group may cool."
            " Two: a tenth of what makes it hot.",
            gt=0,
            le=100_000,
        ),
    ] = 2.0
    cool_window_s: Annotated[
        float,
        Meta(
            description="Seconds over which messages are counted for `cool_per_s`. A minute: people"
            " pause.",
            ge=1,
            le=3600,
        ),
    ] = 60.0
    look_s: Annotated[
        float,
        Meta(
            description="Seconds between two looks at all hot groups, by any instance. Ten: cooling"
            " is not urgent.",
            ge=0.1,
            le=3600,
        ),
    ] = 10.0


class MailboxSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mailboxes: how they are filled and kept, and what devices get when they come back."""

    rows: Annotated[
        int,
        Meta(
            description="Most rows of mailboxes that one transaction writes, unless one message"
            " takes more. 1,000 take about ten milliseconds, for which senders on SQLite wait.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    conversations: Annotated[
        int,
        Meta(
            description="Most conversations of one transaction. 200 chats are 400 rows.",
            ge=1,
            le=5000,
        ),
    ] = 200
    gather_s: Annotated[
        float,
        Meta(
            description="Seconds for which events are gathered for a transaction, unless it is"
            " known that more is to be done. 0.015: on SQLite there is one writer, and each"
            " transaction of mailboxes is one that senders wait for.",
            ge=0,
            le=1,
        ),
    ] = 0.015
    records_waiting: Annotated[
        int,
        Meta(
            description="Records that may wait for the bus before filling mailboxes pauses. Half of"
            " what `outgoing_records` holds by default: none is dropped.",
            ge=1,
            le=1_000_000,
        ),
    ] = 10_000
    attempts: Annotated[
        int,
        Meta(
            description="Failures after which a message that breaks its transaction is passed over,"
            " so that those behind it go on. Five: what passes by itself has passed.",
            ge=1,
            le=100,
        ),
    ] = 5
    notify_after_s: Annotated[
        float,
        Meta(
            description="Seconds for which a message waits for an acknowledgement before a phone is"
            " notified. Three: a device that is there answers in less.",
            ge=0,
            le=3600,
        ),
    ] = 3.0
    sync_threshold: Annotated[
        int,
        RELOADS,
        Meta(
            description="Messages that a device may have missed and still gets pushed when it"
            " comes back; beyond it, it asks for pages. 500: about a second of reading a socket.",
            ge=0,
            le=100_000,
        ),
    ] = 500
    max_devices: Annotated[
        int,
        RELOADS,
        Meta(
            description="Devices of a user that are remembered; those without a push token that"
            " were not seen for the longest go first. 20: nobody has more.",
            ge=1,
            le=1000,
        ),
    ] = 20
    keep: Annotated[
        int,
        Meta(
            description="Messages that a mailbox keeps; older ones are found in their conversation."
            " 10,000: weeks of a busy user.",
            ge=100,
            le=10_000_000,
        ),
    ] = 10_000
    hot: Annotated[HotSettings, RELOADS] = HotSettings()

    def __post_init__(self) -> None:
        """Raise `ValueError` where a group could cool as soon as it is hot."""
        hot = self.hot
        if hot.cool_members > hot.members:
            raise ValueError("hot.cool_members: must not be over hot.members")
        if hot.cool_per_s * hot.cool_window_s > hot.per_s * hot.window_s:
            raise ValueError(
                "hot.cool_per_s: times cool_window_s must not be over per_s times window_s"
            )
        if hot.cool_window_s < hot.window_s:
            raise ValueError("hot.cool_window_s: must not be under hot.window_s")
