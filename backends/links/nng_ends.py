"""The two ends of a link over pynng.

Messages are drained without waiting and then `recv_fd` is waited for, since a cancelled `arecv`
loses messages. nng calls back in threads of its own: they only leave a note and wake the loop.
"""

import contextlib
import errno
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

import pynng
import trio
from pynng._nng import lib

from backends.links.end import FlowLink, Ledger
from backends.links.flow import DIALER_WINDOW, dialer_flow, listener_flow
from backends.links.interface import MAX_MESSAGE_BYTES, Event, Happened
from backends.links.nng_tls import peer_name

RECONNECT_MIN_MS = 50
RECONNECT_MAX_MS = 250
"""A restarted listener is found again within a quarter of a second."""

TASK_THREADS = 2
"""nng's least. It would take two for each core, and then every small message is handed from thread
to thread: with four, more than a third of a relay's time went into switching between them."""

SOCKET_MESSAGES = 8192
"""nng's own limit: two messages for each of 4,096 peers, so that handing over never fails."""


# Heard only before nng's first socket: so here, where the first one of the process is made.
lib.nng_init_set_parameter(lib.NNG_INIT_NUM_TASK_THREADS, TASK_THREADS)
lib.nng_init_set_parameter(lib.NNG_INIT_NUM_RESOLVER_THREADS, 1)
lib.nng_init_set_parameter(lib.NNG_INIT_NUM_EXPIRE_THREADS, 1)


class NngEnd:
    """A socket, the notes that nng's threads leave, and the way back into the loop.

    `tls` is how it shakes hands, `None` for links that are not encrypted.
    """

    def __init__(self, socket: Any, tls: Any) -> None:
        self._socket = socket
        self._encrypted = tls is not None
        if tls is not None:
            socket.tls_config = tls
        self._token = trio.lowlevel.current_trio_token()
        self._notes: deque[tuple[Happened, Any]] = deque()
        self._waiting: trio.CancelScope | None = None
        self._ledger = Ledger()
        self._closed = False
        self._recv_fd: int = socket.recv_fd
        socket.add_post_pipe_connect_cb(partial(self._note, Happened.OPENED))
        socket.add_post_pipe_remove_cb(partial(self._note, Happened.GONE))

    @property
    def bad(self) -> int:
        """Messages that cut their link."""
        return self._ledger.bad

    async def wait(self) -> None:
        """Wait until `poll` may have something."""
        self._ledger.tell()
        with trio.CancelScope() as self._waiting:
            if self._notes or self._closed:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(self._recv_fd)
        self._waiting = None

    def secure(self, tls: Any) -> None:
        """Shake hands with another certificate from now on: so do a dialer's next tries."""
        if not self._closed:
            self._socket.tls_config = tls

    def close(self) -> None:
        """Close the socket and everything on it."""
        if not self._closed:
            self._closed = True
            self._wake()  # before the number of `recv_fd` can mean another file
            self._socket.close()

    def _note(self, what: Happened, pipe: Any) -> None:
        """Leave a note; runs in one of nng's threads, so it may neither wait nor touch the loop."""
        self._notes.append((what, pipe))
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._wake)

    def _peer(self, pipe: Any) -> str | None:
        """Return whom TLS has verified to be at the other side; runs in nng's threads."""
        return peer_name(pipe) if self._encrypted else None

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()


class NngListener(NngEnd):
    """A polyamorous socket; its links are told apart by their pipes."""

    def __init__(self, url: str, tls: Any) -> None:
        super().__init__(_socket(polyamorous=True, send_buffer_size=SOCKET_MESSAGES), tls)
        self._links: dict[int, FlowLink] = {}
        self._fresh: dict[int, tuple[Any, str | None]] = {}
        self._leaving: list[int] = []
        self._socket.add_pre_pipe_connect_cb(self._announce)
        try:
            self._socket.listen(url)
        except pynng.NNGException as error:
            self.close()
            code = errno.EADDRINUSE if isinstance(error, pynng.AddressInUse) else errno.EINVAL
            raise OSError(code, f"can't listen at {url}: {error}") from error

    def poll(self, limit: int) -> Sequence[Event]:
        """Return what has happened: links before their batches, batches before an end."""
        self._ledger.tell()
        found = self._read_notes()
        for _ in range(limit):
            try:
                message = self._socket.recv_msg(block=False)
            except pynng.TryAgain:
                return found + self._read_notes() + self._leave()
            except pynng.Closed:
                return found
            found += self._events(message)
        return found

    def close(self) -> None:
        """Close the socket; its links are gone at once."""
        super().close()
        for link in self._links.values():
            link.end()

    def _announce(self, pipe: Any) -> None:
        """Remember a pipe before its first message can come; runs in one of nng's threads."""
        self._fresh[pipe.id] = pipe, self._peer(pipe)

    def _events(self, message: Any) -> list[Event]:
        if message.pipe is None:
            return []
        pipe_id = message.pipe.id
        found = self._open(pipe_id) if pipe_id not in self._links else []
        link = self._links.get(pipe_id)
        return found if link is None else found + self._ledger.events(link, message.bytes)

    def _read_notes(self) -> list[Event]:
        found = []
        while self._notes:
            what, pipe = self._notes.popleft()
            if what is Happened.GONE:
                self._leaving.append(pipe.id)
            else:
                found += self._open(pipe.id)
        return found

    def _open(self, pipe_id: int) -> list[Event]:
        pipe, peer = self._fresh.pop(pipe_id, (None, None))
        if pipe is None:
            return []
        link = FlowLink(
            _address(pipe), listener_flow(), partial(self._send, pipe), partial(_cut, pipe)
        )
        link.peer = peer
        self._ledger.admit(link)
        self._links[pipe_id] = link
        return [Event(link, Happened.OPENED)]

    def _leave(self) -> list[Event]:
        leaving, self._leaving = self._leaving, []
        found = []
        for pipe_id in leaving:
            self._fresh.pop(pipe_id, None)
            link = self._links.pop(pipe_id, None)
            if link is not None:
                link.end()
                found.append(Event(link, Happened.GONE))
        return found

    def _send(self, pipe: Any, message: bytes) -> bool:
        return _sent(self._socket.send_msg, pynng.Message(message, pipe))


class NngDialed(NngEnd):
    """A plain socket with one peer, used for one connection only."""

    def __init__(self, url: str, window: int, tls: Any) -> None:
        super().__init__(_socket(polyamorous=False, send_buffer_size=2 * window), tls)
        self._opened = self._gone = self._left = False
        self._link = FlowLink(url, dialer_flow(window), self._send, self._cut)
        self._ledger.admit(self._link)
        self._socket.add_pre_pipe_connect_cb(self._announce)
        try:
            self._socket.dial(url, block=False)
        except pynng.NNGException as error:
            self.close()
            raise OSError(errno.EINVAL, f"can't dial {url}: {error}") from error

    @property
    def link(self) -> FlowLink:
        """The one link."""
        return self._link

    def _announce(self, pipe: Any) -> None:
        """Remember who is at the other side; runs in one of nng's threads."""
        self._link.peer = self._peer(pipe)

    async def connected(self) -> None:
        """Wait until the other side has taken the connection."""
        # A copy, since nng's threads leave notes meanwhile: a deque that grows ends its iteration.
        while not any(what is Happened.OPENED for what, _ in tuple(self._notes)):
            with trio.CancelScope() as self._waiting:
                if not self._notes:
                    await trio.sleep_forever()
            self._waiting = None

    def poll(self, limit: int) -> Sequence[Event]:
        """Return what has happened; the end comes after the last batch."""
        self._ledger.tell()
        found = self._read_notes()
        for _ in range(limit):
            try:
                message = self._receive()
            except pynng.TryAgain:
                return found + self._leave()
            except pynng.Closed:
                self._gone = True
                return found + self._leave()
            found += self._ledger.events(self._link, message)
        return found

    def _receive(self) -> bytes:
        try:
            message: bytes = self._socket.recv(block=False)
        except RuntimeError:  # what pynng makes of an empty message
            return b""
        return message

    def _read_notes(self) -> list[Event]:
        found = []
        while self._notes:
            what, _ = self._notes.popleft()
            if what is Happened.GONE:
                self._gone = True
            elif not self._opened:
                self._opened = True
                found.append(Event(self._link, Happened.OPENED))
        return found

    def close(self) -> None:
        """Close the socket; the link is gone at once."""
        super().close()
        self._link.end()

    def _leave(self) -> list[Event]:
        if not self._gone or self._left:
            return []
        self._left = True
        self.close()
        return [Event(self._link, Happened.GONE)]

    def _send(self, message: bytes) -> bool:
        return _sent(self._socket.send, message)

    def _cut(self) -> None:
        self._note(Happened.GONE, None)


def _socket(*, polyamorous: bool, send_buffer_size: int) -> Any:
    return pynng.Pair1(
        polyamorous=polyamorous,
        send_buffer_size=send_buffer_size,
        recv_buffer_size=2 * DIALER_WINDOW,
        recv_max_size=MAX_MESSAGE_BYTES,
        reconnect_time_min=RECONNECT_MIN_MS,
        reconnect_time_max=RECONNECT_MAX_MS,
    )


def _sent(send: Any, message: Any) -> bool:
    try:
        send(message, block=False)
    except (pynng.TryAgain, pynng.Closed):
        return False
    return True


def _cut(pipe: Any) -> None:
    with contextlib.suppress(pynng.NNGException):
        pipe.close()


def _address(pipe: Any) -> str:
    try:
        return str(pipe.remote_address)
    except pynng.NNGException:
        return f"pipe-{pipe.id}"
