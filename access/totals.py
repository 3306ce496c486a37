"""The totals of a room, likes and members over the cluster, as its pushes tell them."""

import msgspec


class _Totals(msgspec.Struct):
    total: int = 0
    online: int = 0


_decode = msgspec.json.Decoder(_Totals).decode


class Totals:
    """Keeps the last push of each kind unread until somebody asks."""

    def __init__(self, likes: int = 0, online: int = 0) -> None:
        self._likes = likes
        self._online = online
        self._last_likes: bytes | None = None
        self._last_online: bytes | None = None

    def note(self, frame: bytes) -> None:
        """Keep `frame`, a bulk message of the room, if it tells a total."""
        # `room_push` puts the kind within these bytes.
        if frame.find(b'"push":"likes"', 0, 96) >= 0:
            self._last_likes = frame
        elif frame.find(b'"push":"online"', 0, 96) >= 0:
            self._last_online = frame

    @property
    def likes(self) -> int:
        """The likes as last told."""
        if self._last_likes is not None:
            self._likes = _read(self._last_likes).total
            self._last_likes = None
        return self._likes

    @property
    def online(self) -> int:
        """The members as last told."""
        if self._last_online is not None:
            self._online = _read(self._last_online).online
            self._last_online = None
        return self._online


def _read(frame: bytes) -> _Totals:
    try:
        return _decode(frame)
    except msgspec.MsgspecError:
        return _Totals()
