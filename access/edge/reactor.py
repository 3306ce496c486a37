"""Waits for all sockets and deadlines of the edge, and tells their owners."""

from collections.abc import Callable
from typing import Protocol

import trio

from access.edge.channel import Channel
from access.edge.poller import WRITABLE, Poller
from access.edge.settings import EdgeSettings
from access.edge.wheel import Wheel

WHEEL_TICK_S = 0.1


class Owner(Protocol):
    """Whoever a socket belongs to: a handshake at first, then a client."""

    def on_readable(self) -> None:
        """Read from the socket, once."""
        ...

    def on_writable(self) -> None:
        """Write what waits."""
        ...

    def on_deadline(self, now_s: float) -> None:
        """Look whether a deadline has passed; called for every `call_at`."""
        ...


class Reactor:
    """One poller and one wheel for every socket of the edge."""

    def __init__(self, settings: EdgeSettings, poller: Poller, clock: Callable[[], float]) -> None:
        self.now_s = clock()
        """The time of the current wake-up: reading the clock for each frame costs more."""
        self.behind = False
        """Whether more sockets were ready than a wake-up serves."""
        self._settings = settings
        self._poller = poller
        self._clock = clock
        self._owners: dict[int, Owner] = {}
        self._wheel: Wheel[Owner] = Wheel(self.now_s, WHEEL_TICK_S)

    def watch(self, channel: Channel, owner: Owner) -> None:
        """Tell `owner` from now on when `channel` is readable."""
        self._owners[channel.fileno()] = owner
        self._poller.add(channel)

    def pass_on(self, channel: Channel, owner: Owner) -> None:
        """Make `owner` the new owner of a watched socket."""
        self._owners[channel.fileno()] = owner

    def watch_writing(self, channel: Channel, wanted: bool) -> None:
        """Tell the owner when `channel` is writable too, or no longer."""
        self._poller.watch_writing(channel, wanted)

    def close(self, channel: Channel) -> None:
        """Forget the socket and close it; the kernel may give its number away at once."""
        del self._owners[channel.fileno()]
        self._poller.remove(channel)
        channel.close()

    def shut(self) -> None:
        """Give the poller back, when all sockets are closed."""
        self._poller.close()

    def call_at(self, owner: Owner, due_s: float) -> None:
        """Call `owner.on_deadline` at `due_s`, or up to 0.1 s later."""
        self._wheel.put(owner, due_s)

    async def run(self) -> None:
        """Serve sockets and deadlines until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._turn_wheel)
            while True:
                await trio.lowlevel.wait_readable(self._poller.fileno())
                await self._serve_ready()

    async def _serve_ready(self) -> None:
        self.now_s = self._clock()
        ready = self._poller.ready(self._settings.events_per_wakeup)
        self.behind = len(ready) >= self._settings.events_per_wakeup
        for number, mask in ready:
            if self._clock() - self.now_s > self._settings.read_slice_s:
                await trio.lowlevel.checkpoint()
                self.now_s = self._clock()
            # An earlier event may have closed it; if the number is in use again, the new owner
            # finds nothing to read.
            owner = self._owners.get(number)
            if owner is not None and mask & WRITABLE:
                owner.on_writable()
            if owner is not None and mask != WRITABLE:
                owner.on_readable()

    async def _turn_wheel(self) -> None:
        while True:
            await trio.sleep(WHEEL_TICK_S)
            self.now_s = self._clock()
            for count, owner in enumerate(self._wheel.advance(self.now_s), 1):
                owner.on_deadline(self.now_s)
                if count % self._settings.chunk == 0:
                    await trio.lowlevel.checkpoint()
