"""What mailboxes count: plain numbers, read by the metrics collector on each scrape."""

from logic.latency import Latency


class MailboxCounters:
    """The totals of one instance since it started."""

    def __init__(self) -> None:
        self.batches = 0
        """Transactions that diffused something."""
        self.messages = 0
        self.rows = 0
        """Rows put into mailboxes."""
        self.streamed = 0
        """Messages put on hot streams."""
        self.switches = 0
        """Fences passed: groups that became hot, or cooled."""
        self.failures = 0
        """Transactions that failed, an unavailable database aside."""
        self.passed_over = 0
        """Messages that could not be diffused."""
        self.buried = 0
        """Deliveries with events that could not be read."""
        self.trimmed = 0
        self.opened = 0
        self.synced = 0
        """Frames given for `SYNC` and `sync`."""
        self.lag_ms = 0
        """How old the oldest message of the last transaction was."""
        self.latency = Latency()
        """From a message's commit to the commit of its mailbox rows."""
