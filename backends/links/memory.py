"""Links inside one process: the twin of `nng`, with the same credit, for tests and simulations.

A `MemoryNetwork` is the wire: it can `cut` links, `freeze` them (what is sent is swallowed and
nobody is told, as by a pulled cable), `part` two ends for a while, `delay` what is sent, and refuse
addresses until somebody listens. Links are named by the address that was dialled or, where `of` was
used, by who dialled.
"""

import errno
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

import trio

from backends.links.end import FlowLink, Ledger
from backends.links.flow import DIALER_WINDOW, dialer_flow, listener_flow
from backends.links.interface import Certificate, Dialed, Endpoint, Event, Happened

RETRY_S = 0.05
"""How often a dialer tries again, as nng does."""


class Peers(NamedTuple):
    """What the two ends of a link take for the name in the other one's certificate."""

    dialer: str | None = None
    listener: str | None = None


NO_PEERS = Peers()


class MemoryNetwork:
    """All listeners of the process, by URL; it is a `Links`."""

    def __init__(self) -> None:
        self._listeners: dict[str, _MemoryListener] = {}
        self._wires: list[_Wire] = []
        self._parted: set[tuple[str, str]] = set()
        self._delays_s: dict[tuple[str, str], float] = {}

    def of(
        self, dialer: str, window: int = DIALER_WINDOW, peers: Peers = NO_PEERS
    ) -> "_DialersNetwork":
        """Return the network as `dialer` has it: the links it dials can be cut by its name, have
        `window` batches under way at most, and their ends show each other `peers`."""
        return _DialersNetwork(self, dialer, window, peers)

    async def dial(
        self,
        url: str,
        dialer: str = "dialer",
        window: int = DIALER_WINDOW,
        peers: Peers = NO_PEERS,
    ) -> Dialed:
        """Connect to the listener at `url`, trying again until it is there."""
        await trio.lowlevel.checkpoint()
        while url not in self._listeners or (dialer, url) in self._parted:
            await trio.sleep(RETRY_S)
        delay_s = self._delays_s.get((dialer, url), 0.0)
        wire = _Wire(url, dialer, self._listeners[url], window, delay_s, peers)
        self._wires.append(wire)
        return wire.dialed

    def listen(self, url: str) -> Endpoint:
        """Listen at `url`; raises `OSError` when somebody does already."""
        if url in self._listeners:
            raise OSError(errno.EADDRINUSE, f"can't listen at {url}: Address in use")
        self._listeners[url] = _MemoryListener(self, url)
        return self._listeners[url]

    async def explain(self, url: str) -> str:
        """Say whether anybody listens at `url`."""
        await trio.lowlevel.checkpoint()
        return "" if url in self._listeners else "nobody listens"

    @property
    def certificate(self) -> Certificate | None:
        """Return `None`: there is no TLS here, though ends may be given names."""
        return None

    def cut(self, end: str) -> None:
        """Cut every link of `end`, a URL or a dialer: both sides see it gone; dialers may come
        back."""
        for wire in self._open_wires(end):
            wire.cut()

    def delay(self, dialer: str, url: str, seconds: float) -> None:
        """Have everything on links that `dialer` makes to `url` from now on take so long each
        way."""
        self._delays_s[dialer, url] = seconds

    def part(self, dialer: str, url: str) -> None:
        """Cut the links of `dialer` to `url`, and let it make no other until `rejoin`."""
        self._parted.add((dialer, url))
        for wire in self._open_wires(dialer):
            if wire.url == url:
                wire.cut()

    def rejoin(self, dialer: str, url: str) -> None:
        """Let `dialer` reach `url` again."""
        self._parted.discard((dialer, url))

    def freeze(self, end: str) -> None:
        """Swallow what is sent on the links of `end` (a URL or a dialer) that are open now, without
        telling anybody."""
        for wire in self._open_wires(end):
            wire.frozen = True

    def stall(self, end: str) -> None:
        """Hold what is sent on the links of `end` that are open now: the other side reads nothing,
        so that its credit does not come back."""
        for wire in self._open_wires(end):
            wire.stall()

    def release(self, end: str) -> None:
        """Let what was held on the links of `end` arrive."""
        for wire in self._open_wires(end):
            wire.release()

    def inject(self, url: str, message: bytes) -> None:
        """Put raw bytes on each link to `url`, as a peer of another version would."""
        for wire in self._open_wires(url):
            wire.to_listener(message)

    def forget(self, url: str) -> None:
        """Take the listener at `url` off the network."""
        del self._listeners[url]

    def _open_wires(self, end: str) -> "list[_Wire]":
        self._wires = [wire for wire in self._wires if wire.open]
        return [wire for wire in self._wires if end in (wire.url, wire.dialer)]


class _DialersNetwork:
    """The network of one dialer; it is a `Links`."""

    def __init__(self, network: MemoryNetwork, dialer: str, window: int, peers: Peers) -> None:
        self._network = network
        self._dialer = dialer
        self._window = window
        self._peers = peers

    async def dial(self, url: str) -> Dialed:
        """See `MemoryNetwork.dial`."""
        return await self._network.dial(url, self._dialer, self._window, self._peers)

    def listen(self, url: str) -> Endpoint:
        """See `MemoryNetwork.listen`."""
        return self._network.listen(url)

    async def explain(self, url: str) -> str:
        """See `MemoryNetwork.explain`."""
        return await self._network.explain(url)

    @property
    def certificate(self) -> Certificate | None:
        """See `MemoryNetwork.certificate`."""
        return self._network.certificate


class _Arrival(NamedTuple):
    """Something on its way to an end: seen there when it is `due`, in order of its `number`."""

    due: float
    number: int
    link: FlowLink
    what: bytes | Happened


class _MemoryEnd:
    """An inbox of messages and events, with somebody who may wait for it."""

    def __init__(self) -> None:
        self._inbox: list[_Arrival] = []
        self._numbers = count()
        self._arrived = trio.Event()
        self._ledger = Ledger()

    @property
    def bad(self) -> int:
        """Messages that cut their link."""
        return self._ledger.bad

    def poll(self, limit: int) -> Sequence[Event]:
        """Return what has happened, at most `limit` messages of it."""
        self._ledger.tell()
        found: list[Event] = []
        for _ in range(limit):
            if not self._is_due():
                break
            _, _, link, what = heappop(self._inbox)
            if isinstance(what, bytes):
                found += self._ledger.events(link, what)
            else:
                found.append(self._state(link, what))
        return found

    async def wait(self) -> None:
        """Wait until something has arrived."""
        self._ledger.tell()
        if self._is_due():
            await trio.lowlevel.checkpoint()
            return
        self._arrived = trio.Event()
        with trio.move_on_at(self._inbox[0].due if self._inbox else float("inf")):
            await self._arrived.wait()

    def arrive(self, link: FlowLink, what: bytes | Happened, delay_s: float = 0.0) -> None:
        """Take in a message or an event of `link`, which is seen after `delay_s`."""
        due = trio.current_time() + delay_s if delay_s else float("-inf")
        heappush(self._inbox, _Arrival(due, next(self._numbers), link, what))
        self._arrived.set()

    def _is_due(self) -> bool:
        return bool(self._inbox) and self._inbox[0].due <= trio.current_time()

    def admit(self, link: FlowLink) -> None:
        """Take in a new link."""
        self._ledger.admit(link)
        self.arrive(link, Happened.OPENED)

    def _state(self, link: FlowLink, what: Happened) -> Event:
        if what is Happened.GONE:
            link.end()
        return Event(link, what)


class _MemoryListener(_MemoryEnd):
    def __init__(self, network: MemoryNetwork, url: str) -> None:
        super().__init__()
        self._network = network
        self._url = url

    def close(self) -> None:
        """Cut all links and give the address back."""
        self._network.cut(self._url)
        self._network.forget(self._url)


class _MemoryDialed(_MemoryEnd):
    def __init__(self, link: FlowLink) -> None:
        super().__init__()
        self._link = link
        self.admit(link)

    @property
    def link(self) -> FlowLink:
        """The one link."""
        return self._link

    def close(self) -> None:
        """Cut the link."""
        self._link.close()
        self._link.end()


class _Wire:
    """One connection: what each side sends arrives at the other, in order."""

    def __init__(
        self,
        url: str,
        dialer: str,
        listener: _MemoryEnd,
        window: int,
        delay_s: float,
        peers: Peers,
    ) -> None:
        self.url = url
        self.dialer = dialer
        self.open = True
        self.frozen = False
        self._held: deque[tuple[_MemoryEnd, FlowLink, bytes]] | None = None
        self._delay_s = delay_s
        self._listener = listener
        self._far = FlowLink(dialer, listener_flow(), self._to_dialer, self.cut)
        near = FlowLink(url, dialer_flow(window), self.to_listener, self.cut)
        self._far.peer, near.peer = peers
        self.dialed = _MemoryDialed(near)
        listener.admit(self._far)

    def cut(self) -> None:
        """End the connection for both."""
        if self.open:
            self.open = False
            self._listener.arrive(self._far, Happened.GONE, self._delay_s)
            self.dialed.arrive(self.dialed.link, Happened.GONE, self._delay_s)

    def to_listener(self, message: bytes) -> bool:
        """Carry a message up."""
        return self._carry(self._listener, self._far, message)

    def _to_dialer(self, message: bytes) -> bool:
        return self._carry(self.dialed, self.dialed.link, message)

    def stall(self) -> None:
        """Hold what is sent, both ways."""
        self._held = self._held or deque()

    def release(self) -> None:
        """Carry what was held, and what comes after it at once."""
        held, self._held = self._held or deque(), None
        for end, link, message in held:
            end.arrive(link, message, self._delay_s)

    def _carry(self, end: _MemoryEnd, link: FlowLink, message: bytes) -> bool:
        if self._held is not None:
            self._held.append((end, link, message))
        elif self.open and not self.frozen:
            end.arrive(link, message, self._delay_s)
        return True
