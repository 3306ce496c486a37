"""What can be tuned in a logic node; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct

from backends.bus.settings import BusSettings
from backends.database.settings import DatabaseSettings
from backends.rate_limit.interface import Rate
from backends.redis.settings import StoreSettings
from backends.room_log.retention import Retention
from backends.token_keys.files import load_receipt_keyring
from logic.auth.keys import load_keys
from logic.auth.settings import AuthSettings
from logic.contacts.settings import ContactSettings
from logic.groups.settings import GroupSettings
from logic.im.settings import ImSettings
from logic.mailbox.settings import MailboxSettings
from logic.notify.settings import PushSettings
from mesh.serving import Bounds
from mesh.settings import MeshSettings
from proto.receipt_settings import ReceiptSettings
from proto.regions import ONE_REGION, Regions
from proto.settings_types import RELOADS


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A logic node: numbers and keeps what is said, in rooms and among people; counts likes."""

    urgent_gift_value: Annotated[
        int,
        RELOADS,
        Meta(
            description="Value (of one gift times its count) from which a gift is urgent. 1,000:"
            " rare enough that urgent stays the exception, which is what keeps it fast.",
            ge=1,
            le=1_000_000_000,
        ),
    ] = 1000
    urgent_per_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Urgent messages of one user a second, on average and over all instances."
            " Five are faster than anybody speaks.",
            gt=0,
            le=10_000,
        ),
    ] = 5.0
    urgent_burst: Annotated[
        int,
        RELOADS,
        Meta(
            description="Urgent messages of one user at once, before the average counts. Ten: a"
            " short run of gifts.",
            ge=1,
            le=100_000,
        ),
    ] = 10
    max_uids: Annotated[
        int,
        RELOADS,
        Meta(
            description="Most receivers of one message of a back end. 20,000 are 20 records on the"
            " bus and about a megabyte in the request.",
            ge=1,
            le=20_000,
        ),
    ] = 20_000
    messages_per_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Normal and bulk messages a second that this instance takes; beyond it they"
            " are answered `overloaded`. 2,000: about what a core does. Set it to what leaves the"
            " machines idle time: without it, urgent messages wait for the processor.",
            gt=0,
            le=1_000_000,
        ),
    ] = 2000.0
    at_work: Annotated[
        int,
        RELOADS,
        Meta(
            description="Most requests of each priority that are worked on at once. 24 keep the"
            " store's pipelines filled; more would wait inside, where urgent ones can't overtake.",
            ge=1,
            le=65_536,
        ),
    ] = 24
    target_ms: Annotated[
        float,
        RELOADS,
        Meta(
            description="Milliseconds that a normal or bulk request should take; where they take"
            " longer, fewer are worked on at once. 25: several times what an idle machine needs,"
            " and little of what an urgent message may take in all.",
            gt=0,
            le=10_000,
        ),
    ] = 25.0
    waiting: Annotated[
        int,
        RELOADS,
        Meta(
            description="Requests of each priority that wait for their turn; beyond that they are"
            " answered `overloaded` at once. 512 are a quarter of a second of work.",
            ge=0,
            le=1_000_000,
        ),
    ] = 512
    wait_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds that a request may wait: behind one that has waited for longer,"
            " the next is answered `overloaded`. A quarter: a person does not notice, and what is"
            " refused early costs nothing.",
            ge=0,
            le=60,
        ),
    ] = 0.25
    outgoing_records: Annotated[
        int,
        RELOADS,
        Meta(
            description="Records of each priority and way (ordinary, hot) that wait for a bus that"
            " is away. Full: urgent and normal drop the newest (the room log repairs), bulk the"
            " oldest. 20,000 of 500 B are 10 MB.",
            ge=1,
            le=1_000_000,
        ),
    ] = 20_000
    likes_window_s: Annotated[
        float,
        Meta(
            description="Seconds for which like counts are gathered before they are written. A"
            " tenth: ten writes a room and second at most, not seen in a total that is pushed once"
            " a second.",
            ge=0,
            le=1,
        ),
    ] = 0.1
    receipts: Annotated[ReceiptSettings, RELOADS]
    mesh: MeshSettings = MeshSettings()
    bus: BusSettings = BusSettings()
    store: StoreSettings = StoreSettings()
    regions: Regions = ONE_REGION
    room_log: Retention = Retention()
    database: DatabaseSettings = DatabaseSettings()
    im: ImSettings = ImSettings()
    mailbox: MailboxSettings = MailboxSettings()
    contacts: Annotated[ContactSettings, RELOADS] = ContactSettings()
    groups: Annotated[GroupSettings, RELOADS] = GroupSettings()
    push: PushSettings = PushSettings()
    auth: AuthSettings = AuthSettings()

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the key whose value is of no use."""
        load_receipt_keyring(self.receipts)
        if self.auth.kind == "accounts":
            load_keys(self.auth)

    def urgent_rate(self) -> Rate:
        """Return how many urgent messages one user may send."""
        return Rate(self.urgent_per_s, self.urgent_burst)

    def bounds(self) -> Bounds:
        """Return the places of requests about rooms and pushes."""
        return Bounds(self.at_work, self.waiting, self.wait_s, self.target_ms / 1000)
