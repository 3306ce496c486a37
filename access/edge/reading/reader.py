"""Reads what one client sends: the short way where that will do, through wsproto where not."""

from access.edge.frames import Verdict, read_texts, read_whole
from access.edge.reading.fallback import MAX_FRAGMENTS, Failed, Fallback, Heard, PeerClosed
from access.edge.reading.inflate import read_deflated_text
from proto.close_codes import CloseCode


class Reader:
    """Bytes in, at any cut; whole messages and events out. Pure.

    Between two usual frames it holds an empty `bytes` and nothing else.
    """

    __slots__ = (
        "_ended",
        "_fallback",
        "_inflates",
        "_max_fragments",
        "_max_message_bytes",
        "_partial",
        "fallbacks",
    )

    def __init__(
        self,
        max_message_bytes: int,
        *,
        inflates: bool = False,
        max_fragments: int = MAX_FRAGMENTS,
    ) -> None:
        self.fallbacks = 0
        """Times that wsproto was needed."""
        self._max_message_bytes = max_message_bytes
        self._max_fragments = max_fragments
        self._inflates = inflates
        self._partial = b""
        self._fallback: Fallback | None = None
        self._ended = False

    def feed(self, data: bytes) -> list[Heard]:
        """Return what `data` completes; nothing follows a `PeerClosed` or `Failed`."""
        if self._fallback is None and not self._partial and not self._ended:
            whole = read_whole(data, self._max_message_bytes)
            if whole is not None:
                return [whole]
        heard: list[Heard] = []
        while data and not self._ended:
            if self._fallback is None:
                data = self._read_short(data, heard)
            else:
                data = self._read_long(self._fallback, data, heard)
            self._ended = bool(heard) and isinstance(heard[-1], PeerClosed | Failed)
        return heard

    def _read_short(self, data: bytes, heard: list[Heard]) -> bytes:
        """Read usual frames; returns what is for the fallback."""
        limit = self._max_message_bytes
        texts, rest, verdict = read_texts(self._partial + data, limit)
        self._partial = b""
        heard += texts
        if verdict is Verdict.UNUSUAL:
            return self._read_unusual(rest, heard)
        if verdict is Verdict.MORE:
            self._partial = rest
        elif verdict is Verdict.TOO_BIG:
            heard.append(Failed(CloseCode.TOO_LARGE, f"over {limit} bytes"))
        else:
            heard.append(Failed(CloseCode.NOT_UTF8, "not valid UTF-8"))
        return b""

    def _read_unusual(self, data: bytes, heard: list[Heard]) -> bytes:
        """Read one compressed frame, if that will do; returns what is still to be read."""
        if self._inflates and (read := read_deflated_text(data, self._max_message_bytes)):
            text, rest = read
            heard.append(text)
            return rest
        self._fallback = Fallback(
            self._max_message_bytes, self._max_fragments, inflates=self._inflates
        )
        self.fallbacks += 1
        return data

    def _read_long(self, fallback: Fallback, data: bytes, heard: list[Heard]) -> bytes:
        """Read through wsproto; returns what is for the short way again."""
        more, rest = fallback.feed(data)
        heard += more
        if fallback.idle:
            self._fallback = None
        return rest
