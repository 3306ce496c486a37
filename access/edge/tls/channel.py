"""A TLS connection that the edge reads and writes like a socket."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RD, socket

HANDSHAKE_RECORD = 0x16
"""The first byte of a TLS connection."""
MAX_HANDSHAKE_BYTES = 16 * 1024
"""What a client may send until its handshake is done: a ClientHello has 2 KB at most, with
post-quantum keys and a ticket."""


class Bios:
    """Where OpenSSL reads and writes, shared by all connections of a node.

    Each is empty between two calls: OpenSSL takes all that is in `incoming` (a record that is not
    whole moves into the connection's own buffer), and what it puts in `outgoing` is taken out at
    once. Two for each connection would keep 5 KB, and the largest frame they ever saw.
    """

    __slots__ = ("incoming", "outgoing")

    def __init__(self) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()

    def clear(self) -> None:
        """Throw away what a failed call has left, lest another connection get it."""
        self.incoming.read()
        self.outgoing.read()


class TlsChannels:
    """Makes the channels of a node: an `OpenChannel`.

    `context` returns the one for a handshake that starts now.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self._context = context
        self._bios = Bios()

    def __call__(self, sock: socket) -> "TlsChannel":
        """See `channel.OpenChannel`."""
        return TlsChannel(sock, self._bios, self._new)

    def _new(self) -> ssl.SSLObject:
        bios = self._bios
        return self._context().wrap_bio(bios.incoming, bios.outgoing, server_side=True)


class TlsChannel:
    """A `channel.Channel`. The handshake is made by `recv`, a step for each call.

    A frame is sealed when it is written, and sealed ones must be sent in that order: what the
    socket does not take of one is kept, and the frame's own rest stands for it. So a count is that
    of the sealed bytes, with one at least of the frame done and one left until all are sent.
    """

    __slots__ = ("_bios", "_handshake_bytes", "_new", "_sock", "_tls", "_unsent")

    def __init__(self, sock: socket, bios: Bios, new: Callable[[], ssl.SSLObject]) -> None:
        self._sock = sock
        self._bios = bios
        self._new = new
        self._tls: ssl.SSLObject | None = None
        self._handshake_bytes: int | None = 0
        """`None` when the handshake is done."""
        self._unsent = b""

    def fileno(self) -> int:
        """See `channel.Channel`."""
        return self._sock.fileno()

    def recv(self, size: int, /) -> bytes:
        """See `channel.Channel`: what came may be one record (16 KiB) longer than `size`."""
        sealed = self._sock.recv(size)
        if not sealed:  # also without a farewell: a WebSocket's own close frame tells the end
            return b""
        tls = self._tls or self._begin(sealed)
        try:
            data = self._opened(tls, sealed, size)
        except ssl.SSLWantReadError:
            self._reply()
            raise BlockingIOError from None
        except ssl.SSLError:
            with suppress(OSError):
                self._reply()  # the alert that says what was wrong
            raise
        self._reply()
        return data

    def send(self, data: bytes, /) -> int:
        """See `channel.Channel`."""
        if self._unsent:
            return self._send_rest(len(data))
        sealed = self._sealed(data)
        try:
            count = self._sock.send(sealed)
        except BlockingIOError:
            count = 0
        if count == len(sealed):
            return len(data)
        self._unsent = sealed[count:]
        return max(1, min(count, len(data) - 1))

    def shutdown(self, how: int, /) -> None:
        """See `channel.Channel`."""
        self._say_farewell()
        self._sock.shutdown(how)

    def close(self) -> None:
        """See `channel.Channel`."""
        self._say_farewell()
        self._sock.close()

    # -- reading

    def _begin(self, sealed: bytes) -> ssl.SSLObject:
        """Take note of the first bytes: who sends none, or no TLS, costs next to nothing."""
        if sealed[0] != HANDSHAKE_RECORD:
            raise ssl.SSLError("not a TLS handshake")
        self._tls = self._new()
        return self._tls

    def _opened(self, tls: ssl.SSLObject, sealed: bytes, size: int) -> bytes:
        """Return what `sealed` completes; raises `SSLWantReadError` if that is nothing."""
        incoming = self._bios.incoming
        incoming.write(sealed)
        if self._handshake_bytes is not None:
            self._shake_hands(tls, len(sealed))
        data = tls.read(size)
        # The poller knows of nothing that was read from the socket: all of it is taken now.
        while data and (tls.pending() or incoming.pending):
            try:
                more = tls.read(size)
            except ssl.SSLWantReadError:
                break
            if not more:
                self._sock.shutdown(SHUT_RD)  # has the poller tell of the end
                break
            data += more
        return data

    def _shake_hands(self, tls: ssl.SSLObject, arrived_bytes: int) -> None:
        assert self._handshake_bytes is not None
        self._handshake_bytes += arrived_bytes
        if self._handshake_bytes > MAX_HANDSHAKE_BYTES:
            raise ssl.SSLError("the TLS handshake is too long")
        tls.do_handshake()
        self._handshake_bytes = None

    def _reply(self) -> None:
        """Send what OpenSSL said by itself: its part of a handshake, an alert."""
        reply = self._bios.outgoing.read()
        self._bios.clear()
        if reply and not self._sent_whole(reply):
            raise OSError("the peer negotiates TLS and does not read the answers")

    def _sent_whole(self, reply: bytes) -> bool:
        try:
            return not self._unsent and self._sock.send(reply) == len(reply)
        except BlockingIOError:
            return False

    # -- writing

    def _sealed(self, data: bytes) -> bytes:
        """Return the records of `data`; OpenSSL makes one a call."""
        assert self._tls is not None
        try:
            done = self._tls.write(data)
            while done < len(data):
                done += self._tls.write(memoryview(data)[done:])
            return self._bios.outgoing.read()
        except BaseException:
            self._bios.clear()
            raise

    def _send_rest(self, rest_bytes: int) -> int:
        count = self._sock.send(self._unsent)
        self._unsent = self._unsent[count:]
        return min(count, rest_bytes - 1) if self._unsent else rest_bytes

    def _say_farewell(self) -> None:
        """Send `close_notify` if that can be done at once; nobody waits for the peer's."""
        if self._tls is None or self._unsent:
            return
        with suppress(ssl.SSLError, ValueError):  # the peer's part has not come, or all is broken
            self._tls.unwrap()
        farewell = self._bios.outgoing.read()
        self._bios.clear()
        if farewell:
            with suppress(OSError):
                self._sock.send(farewell)
