"""Takes one delivery, says what is in it, and never settles it. See `conftest.doomed_consumer`."""

import sys

import msgspec
import trio

from backends.bus.connect import open_bus
from backends.bus.settings import BusSettings
from proto.topics import Topic


async def main(settings: BusSettings, topic: Topic) -> None:
    async with open_bus(settings) as bus, bus.subscribe(topic, "routers") as subscription:
        sys.stdout.write("subscribed\n")
        sys.stdout.flush()
        delivery = await subscription.receive()
        sys.stdout.write(" ".join(record.header.id for record in delivery.records) + "\n")
        sys.stdout.flush()
        await trio.sleep_forever()


trio.run(main, msgspec.json.decode(sys.argv[1], type=BusSettings), Topic(sys.argv[2]))
