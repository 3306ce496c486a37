"""A native push consumer, whose threads hand each message over to trio and wait for its fate."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import trio

from backends.bus.rocketmq.native_log import bound_log
from backends.bus.rocketmq.producer import QUEUE_PROPERTY

OFFSETS_FOLDER = Path("~/.rocketmq_offsets")


class Handed:
    """A message in the hands of trio; its native thread waits for `settle`."""

    __slots__ = ("_settled", "attempt", "body", "done", "order")

    def __init__(self, message: Any) -> None:
        self.body: bytes = message.body or b""
        self.attempt: int = message.reconsume_times + 1
        queue: bytes = message.get_property(QUEUE_PROPERTY) or str(message.queue_id).encode()
        self.order: tuple[bytes, int] = (queue, message.queue_offset)
        self.done = False
        self._settled = threading.Event()

    def settle(self, *, done: bool) -> None:
        """Let the native thread go: the message is done with, or comes again to someone else."""
        self.done = done
        self._settled.set()

    def wait(self) -> bool:
        """Block until settled; returns whether the message is done with."""
        self._settled.wait()
        return self.done


class Consumer:
    """One native consumer with `threads` threads, which bounds what is handed over at a time.

    `arrive` is called in trio's thread with each `Handed`.
    """

    def __init__(
        self,
        client: ModuleType,
        group: str,
        instance: str,
        name_servers: str,
        *,
        threads: int,
        broadcasting: bool,
    ) -> None:
        self._client = client
        self._instance = instance
        models = client.MessageModel
        model = models.BROADCASTING if broadcasting else models.CLUSTERING
        self._consumer = client.PushConsumer(group, message_model=model)
        self._consumer.set_name_server_address(name_servers)
        self._consumer.set_instance_name(instance)
        self._consumer.set_thread_count(threads)
        self._consumer.set_message_batch_max_size(1)
        bound_log(client.dll, "PushConsumer", self._consumer._handle)
        self._closing = False

    def start(
        self, topic: str, arrive: Callable[[Handed], object], token: trio.lowlevel.TrioToken
    ) -> None:
        """Subscribe and start the native threads. Blocks; raises the client's exceptions."""
        statuses = self._client.ConsumeStatus

        def on_message(message: Any) -> Any:
            handed = Handed(message)
            if self._closing:
                return statuses.RECONSUME_LATER
            try:
                token.run_sync_soon(arrive, handed)
            except trio.RunFinishedError:
                return statuses.RECONSUME_LATER
            return statuses.CONSUME_SUCCESS if handed.wait() else statuses.RECONSUME_LATER

        self._consumer.subscribe(topic, on_message)
        self._consumer.start()

    def refuse(self) -> None:
        """From now on give every message back unseen."""
        self._closing = True

    def shut_down(self) -> None:
        """End the native threads; whoever still waits in one must be settled before. Blocks."""
        self._consumer.shutdown()
        for folder in OFFSETS_FOLDER.expanduser().glob(f"*@{self._instance}"):
            shutil.rmtree(folder, ignore_errors=True)
