"""Sending through the native client. It blocks, and one thread at a time may use it."""

import ctypes
from types import ModuleType

from backends.bus.outbox import SendError
from backends.bus.rocketmq.loader import QueueSelector
from backends.bus.rocketmq.native_log import bound_log

TRIES_INSIDE = 1
"""The outbox tries again, with backoff and under the publisher's time-out."""
QUEUE_PROPERTY = "relaymesh-queue"
"""Tells consumers the queue among all brokers'; the client tells its number on one broker."""
SEND_TIMEOUT_MS = 3000
MOST_MESSAGE_BYTES = 1024 * 1024
"""A dead letter is longer than the pack in it; the broker's own limit is 4 MiB."""


@QueueSelector  # type: ignore[untyped-decorator]
def _queue_of_partition(queues: int, _message: int, argument: int) -> int:
    return (argument - 1) % queues


class Producer:
    """One native producer; `start` and `shut_down` block as `send` does."""

    def __init__(self, client: ModuleType, group: str, instance: str, name_servers: str) -> None:
        self._client = client
        self._dll = client.dll
        self._producer = client.Producer(
            group, timeout=SEND_TIMEOUT_MS, max_message_size=MOST_MESSAGE_BYTES
        )
        self._producer.set_name_server_address(name_servers)
        self._dll.SetProducerInstanceName(self._producer._handle, instance.encode())
        bound_log(self._dll, "Producer", self._producer._handle)

    def start(self) -> None:
        """Start the native threads."""
        self._producer.start()

    def shut_down(self) -> None:
        """End the native threads; a process that skips this hangs when it exits."""
        self._producer.shutdown()

    def send(self, topic: str, body: bytes, partition: int) -> None:
        """Return when the broker keeps `body` in the queue of `partition`; raises `SendError`."""
        message = self._client.Message(topic)
        try:
            message.set_body(body)
            message.set_property(QUEUE_PROPERTY, str(partition))
            result = self._client._CSendResult()
            status = self._dll.SendMessageOrderly(
                self._producer._handle,
                message,
                _queue_of_partition,
                partition + 1,  # the library refuses 0, a null pointer to it
                TRIES_INSIDE,
                ctypes.byref(result),
            )
        finally:
            # The bindings never free a message.
            self._dll.DestroyMessage(message._handle)
        if status != 0:
            raise SendError(f"RocketMQ did not confirm: {self._latest_error()}")
        if result.sendStatus != 0:
            kept = self._client.SendStatus(result.sendStatus).name
            raise SendError(f"RocketMQ did not keep it safely: {kept}")

    def _latest_error(self) -> str:
        text: bytes | None = self._dll.GetLatestErrorMessage()
        return (text or b"no reason given").decode(errors="replace").strip()
