"""The bus: durable topics between logic and routers, delivered at least once."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from proto.records import Record
from proto.topics import Topic


class BusUnavailableError(Exception):
    """The bus did not confirm: the records may be kept or not, and may be published again."""


class Delivery(Protocol):
    """Some records handed to one consumer; they come again until settled by `ack` or `bury`."""

    @property
    def records(self) -> Sequence[Record]:
        """The records, in the order in which they were published to their partition."""

    @property
    def attempt(self) -> int:
        """1 for the first delivery, counted up by each redelivery where the bus knows it."""

    async def ack(self) -> None:
        """Settle: the records are done with and do not come again (crashes aside)."""

    async def retry(self) -> None:
        """Give the records back: they come again after a backoff that grows with `attempt`.

        After the configured number of attempts they go to the dead-letter topic instead.
        """

    async def bury(self, reason: str) -> None:
        """Settle as poison: keep the records on the dead-letter topic, with `reason`."""


class Subscription(Protocol):
    """One consumer's view of a topic."""

    async def receive(self) -> Delivery:
        """Wait for the next delivery. Waits out a bus that is away, and reconnects by itself.

        A body that can't be read is buried and counted, and never raised.
        """

    async def lag(self) -> int:
        """How many records (packs, where the bus counts those) wait undelivered for this group."""


class Bus(Protocol):
    """Topics that keep what they confirmed, through a broker's crash and restart."""

    async def publish(self, topic: Topic, records: Sequence[Record]) -> None:
        """Put `records` on `topic`, in order; returns once the bus keeps them.

        Calls that wait at the same moment may share a pack. Retries with backoff inside; raises
        `BusUnavailableError` when the bus has not confirmed within the configured time.
        """

    def subscribe(self, topic: Topic, group: str) -> AbstractAsyncContextManager[Subscription]:
        """Consume as a member of `group`: each record goes to one member (clustering).

        A group that is new starts with what is published from then on.
        """

    def subscribe_broadcast(
        self, topic: Topic, name: str
    ) -> AbstractAsyncContextManager[Subscription]:
        """Consume every record published from now on, as the one consumer called `name`."""
