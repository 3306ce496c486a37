"""Connecting: how many a second, and what memory each holds once it is in the room."""

import time
from typing import NamedTuple

from bench.load.client import LoadClient
from bench.load.target import Target

FIRST = 50
"""Connections before the measured ones: they pay for what a server makes once."""

SETTLE_S = 1.0


class Connecting(NamedTuple):
    """What `connect` found."""

    connects_per_s: float
    idle_kb_per_connection: float
    cpu_us_per_connect: float


def connect(target: Target, client: LoadClient, connections: int) -> Connecting:
    """Open `connections`, all of them in the room; the figures are about all but the first."""
    scripts = [target.script(number) for number in range(connections)]
    first = min(FIRST, connections // 2)
    client.connect(target.port, scripts[:first])
    time.sleep(SETTLE_S)
    before_kb, before_s = target.rss_kb(), target.cpu_s()
    done = client.connect(target.port, scripts[first:])
    used_s = target.cpu_s() - before_s
    time.sleep(SETTLE_S)
    used_kb = target.rss_kb() - before_kb
    return Connecting(
        connects_per_s=done.opened / done.seconds,
        idle_kb_per_connection=used_kb / done.opened,
        cpu_us_per_connect=used_s / done.opened * 1e6,
    )
