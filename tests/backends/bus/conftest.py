"""The three buses behind one harness: what the suite does to a broker beside its public surface."""

import abc
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from backends.bus.connect import AnyBus, open_bus
from backends.bus.dead_letters import DeadLetter
from backends.bus.memory import MemoryBroker
from backends.bus.rocketmq.consumer import Consumer, Handed
from backends.bus.rocketmq.loader import load_client
from backends.bus.rocketmq.producer import Producer
from backends.bus.settings import BusSettings
from proto.topics import Topic

ROCKETMQ_ADDRESS = os.environ.get("RELAYMESH_TEST_ROCKETMQ", "127.0.0.1:9876")
ROCKETMQ_SCRIPT = Path(__file__).parents[3] / "scripts" / "rocketmq.sh"


class Harness(abc.ABC):
    """A broker, and the settings with which the tests open buses on it."""

    crash_recovery_s = 5.0
    """How long records may stay away after the broker was killed and started again."""

    def __init__(self, kind: str, url: str) -> None:
        self.settings = BusSettings(
            kind=kind,
            url=url,
            prefix=f"t{uuid.uuid4().hex[:8]}",
            publish_timeout_s=3.0,
            max_attempts=3,
            backoff_first_s=0.05,
            backoff_most_s=0.5,
            claim_after_s=0.6,
            partitions=2,
        )

    def open(self, **changes) -> AbstractAsyncContextManager[AnyBus]:
        return open_bus(self.settings_with(**changes))

    def settings_with(self, **changes) -> BusSettings:
        return msgspec.structs.replace(self.settings, **changes)

    @abc.abstractmethod
    def stop(self) -> None:
        """Kill the broker."""

    @abc.abstractmethod
    def start(self) -> None: ...

    @abc.abstractmethod
    async def plant(self, topic: Topic, body: bytes) -> None:
        """Put `body` on the topic past the bus."""

    @abc.abstractmethod
    async def dead_letters(self, topic: Topic, count: int) -> list[DeadLetter]:
        """Wait for `count` letters."""


class MemoryHarness(Harness):
    def __init__(self) -> None:
        super().__init__("memory", "memory")
        self.broker = MemoryBroker()

    def open(self, **changes):
        return open_bus(self.settings_with(**changes), self.broker)

    def stop(self) -> None:
        self.broker.stop()

    def start(self) -> None:
        self.broker.start()

    async def plant(self, topic: Topic, body: bytes) -> None:
        self.broker.append(f"{self.settings.prefix}-{topic}", [body], 100)

    async def dead_letters(self, topic: Topic, count: int) -> list[DeadLetter]:
        kept = self.broker.topic(f"{self.settings.prefix}-{topic}").dead_letters
        while len(kept) < count:
            await trio.sleep(0.01)
        return [DeadLetter.decode(text) for text in kept]


class RedisHarness(Harness):
    def __init__(self, server) -> None:
        super().__init__("redis", server.url)
        self.server = server

    def stop(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.start()

    def key(self, topic: Topic) -> str:
        return f"{self.settings.prefix}:bus:{topic}"

    async def plant(self, topic: Topic, body: bytes) -> None:
        with self.server.client() as client:
            client.xadd(self.key(topic), {"pack": body})

    async def dead_letters(self, topic: Topic, count: int) -> list[DeadLetter]:
        with self.server.client() as client:
            while client.xlen(f"{self.key(topic)}:dead") < count:
                await trio.sleep(0.01)
            entries = client.xrange(f"{self.key(topic)}:dead")
        return [DeadLetter.decode(fields[b"pack"]) for _, fields in entries]


class RocketMQHarness(Harness):
    """A broker that runs already, of which `scripts/rocketmq.sh` can kill and start one."""

    crash_recovery_s = 60.0

    def __init__(self) -> None:
        super().__init__("rocketmq", ROCKETMQ_ADDRESS)

    def stop(self) -> None:
        subprocess.run([ROCKETMQ_SCRIPT, "kill-broker"], check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        subprocess.run([ROCKETMQ_SCRIPT, "start-broker"], check=True, stdout=subprocess.DEVNULL)

    async def plant(self, topic: Topic, body: bytes) -> None:
        producer = Producer(load_client(), "planters", uuid.uuid4().hex, self.settings.url)
        producer.start()
        try:
            producer.send(f"{self.settings.prefix}-{topic}", body, 0)
        finally:
            producer.shut_down()

    async def dead_letters(self, topic: Topic, count: int) -> list[DeadLetter]:
        letters: list[DeadLetter] = []

        def arrive(handed: Handed) -> None:
            letters.append(DeadLetter.decode(handed.body))
            handed.settle(done=True)

        consumer = Consumer(
            load_client(),
            f"{self.settings.prefix}-readers",
            uuid.uuid4().hex,
            self.settings.url,
            threads=1,
            broadcasting=False,
        )
        name = f"{self.settings.prefix}-{topic}-dead"
        token = trio.lowlevel.current_trio_token()
        await trio.to_thread.run_sync(consumer.start, name, arrive, token)
        try:
            while len(letters) < count:
                await trio.sleep(0.05)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(consumer.shut_down)
        return letters


@pytest.fixture
def doomed_consumer():
    """Run a process that takes one delivery and never settles it; killed when the block ends.

    Entered once it has subscribed; the function that it gives waits for the ids it took.
    """

    @asynccontextmanager
    async def run(settings: BusSettings, topic: Topic):
        script = Path(__file__).with_name("doomed_consumer.py")
        arguments = [msgspec.json.encode(settings).decode(), topic]
        process = await trio.lowlevel.open_process(
            [sys.executable, script, *arguments], stdout=subprocess.PIPE
        )

        async def line() -> list[str]:
            with trio.fail_after(15):
                return (await process.stdout.receive_some()).decode().split()

        try:
            assert await line() == ["subscribed"]
            yield line
        finally:
            process.kill()
            await process.wait()

    return run


@pytest.fixture(params=["redis", pytest.param("rocketmq", marks=pytest.mark.rocketmq)])
def lasting_harness(request) -> Harness:
    """The brokers that outlive a process."""
    if request.param == "redis":
        return RedisHarness(request.getfixturevalue("shared_redis"))
    return RocketMQHarness()


@pytest.fixture(params=["memory", "redis", pytest.param("rocketmq", marks=pytest.mark.rocketmq)])
def harness(request) -> Iterator[Harness]:
    if request.param == "memory":
        yield MemoryHarness()
    elif request.param == "redis":
        yield RedisHarness(request.getfixturevalue("shared_redis"))
    else:
        yield RocketMQHarness()
