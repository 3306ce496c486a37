"""What the bus counts, as plain integers; a collector reads them when it is scraped."""

from dataclasses import dataclass, field

from proto.topics import Topic


@dataclass(slots=True)
class TopicCounters:
    """Counts of one topic in this process."""

    published: int = 0
    """Records that the bus confirmed."""
    packs_published: int = 0
    publish_failures: int = 0
    """Records whose publishers were told that the bus is unavailable."""
    publish_retries: int = 0
    waiting: int = 0
    """Depth: records in the outbox, of at most `outbox_records`."""
    delivered: int = 0
    """Records handed to consumers, redeliveries included."""
    acknowledged: int = 0
    in_flight: int = 0
    """Depth: deliveries received from the broker and not settled, of at most `in_flight` each."""
    retried: int = 0
    buried: int = 0
    """Packs put on the dead-letter topic, for whatever reason."""
    unreadable: int = 0
    """Packs among `buried` which were no packs."""
    lag: int = 0
    """What `Subscription.lag` said last."""


@dataclass(slots=True)
class BusCounters:
    """Counts of every topic."""

    topics: dict[Topic, TopicCounters] = field(
        default_factory=lambda: {topic: TopicCounters() for topic in Topic}
    )

    def __getitem__(self, topic: Topic) -> TopicCounters:
        return self.topics[topic]
