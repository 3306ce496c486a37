"""What the edge counts: plain integers, read when metrics are scraped."""

from collections import Counter


class EdgeCounters:
    """All counts of one edge since its start; lists are indexed by priority."""

    def __init__(self) -> None:
        self.accepted = 0
        """Sockets taken from the listener."""
        self.opened = 0
        """Handshakes that succeeded."""
        self.opened_deflating = 0
        """Those of them that agreed to compression."""
        self.handshake_errors: Counter[str] = Counter()
        """By reason: `tls`, `malformed`, `too_large`, `path`, `origin`, `timeout`, and so on."""
        self.accept_pauses = 0
        """Times that accepting rested because file descriptors had run out."""
        self.messages_in = 0
        self.bytes_in = 0
        self.frames_out = 0
        """Frames handed to sockets or queues; a round counts once for each member."""
        self.bytes_out = 0
        self.fallbacks = 0
        """Times that wsproto was needed to read, on connections that are gone."""
        self.rounds = [0, 0, 0]
        """Rounds that were written to the end; one for each encoding that a room's members want."""
        self.deliveries = [0, 0, 0]
        """Messages (not rounds) written or queued for a member."""
        self.thinned = [0, 0, 0]
        """Messages taken out of a slow client's queue, and told to it as skipped."""
        self.stalls = 0
        """Times that a socket left the fast path."""
        self.pings = 0
        self.closes: Counter[int] = Counter()
        """Connections gone, by close code."""
        self.handler_errors = 0
        """Exceptions of the session layer; each closed one connection with 1011."""
