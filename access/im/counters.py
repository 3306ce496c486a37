"""What the instant messages of an access node count."""


class ImCounters:
    """All counts since the start, and how many messages are in flight now."""

    def __init__(self) -> None:
        self.in_flight = 0
        """Messages sent and not acknowledged, in all windows."""
        self.in_flight_bytes = 0
        self.sent = 0
        """Messages sent for the first time on their connection."""
        self.acknowledged = 0
        self.resends = 0
        self.dead = 0
        """Connections closed because nothing was acknowledged."""
        self.replaced = 0
        """Connections closed because their device came anew."""
        self.duplicates = 0
        """Messages that came again, and were not sent again."""
        self.elsewhere = 0
        """Numbered USERS envelopes with no receiver on this node."""
        self.stale_epoch = 0
        self.opens = 0
        self.open_errors = 0
        self.syncs = 0
        """Pages of streams asked for."""
        self.syncs_joined = 0
        """Pages that another connection had asked for already."""
        self.sync_errors = 0
        self.tails = 0
        """Questions for the ends of mailboxes and hot groups."""
        self.tails_errors = 0
        self.tails_behind = 0
        """Streams of which an answer knew more than this node."""
        self.hot_messages = 0
        self.hot_overflows = 0
        """Times that a hot group's messages came faster than they could be handed out."""
        self.cursor_reports = 0
        self.cursor_errors = 0
        self.presence_asks = 0
        self.presence_errors = 0
        self.presence_changes = 0
        self.watches_refused = 0
        """Users that somebody would have watched who is no friend of theirs."""
