"""Which shards of the hot topics are wanted, by the hot keys in the subscription tables. Pure.

A table says when a key gets its first node and when it has lost its last one. There is one of this
region's nodes and one of other regions' relays.
"""

from collections import Counter
from collections.abc import Callable

from proto.heat import HOT_SHARDS, pool_and_room, shard_of_pool

HOT_MARK = b"@"


def _everything(_: str) -> bool:
    return True


class Wanted:
    """Hot keys by shard; `changed` is called when a shard gets its first key or loses its last.

    Of those that are not `at_home` here nothing is known: they are on another region's bus.
    """

    def __init__(self, at_home: Callable[[str], bool] = _everything) -> None:
        self._at_home = at_home
        self._keys: list[Counter[bytes]] = [Counter() for _ in range(HOT_SHARDS)]
        self.changed: Callable[[], None] = _nobody

    def __len__(self) -> int:
        """How many hot keys somebody wants."""
        return sum(map(len, self._keys))

    @property
    def shards(self) -> set[int]:
        """The shards of which some key is wanted."""
        return {shard for shard, keys in enumerate(self._keys) if keys}

    def keys(self, shard: int) -> list[bytes]:
        """Return the wanted keys of `shard`."""
        return list(self._keys[shard])

    def begin(self, key: bytes) -> None:
        """Note that somebody of a table wants `key`."""
        if not self._at_home(key.decode()):
            return
        keys = self._keys[_shard(key)]
        keys[key] += 1
        if keys.total() == 1:
            self.changed()

    def end(self, key: bytes) -> None:
        """Note that nobody of a table wants `key` any longer."""
        keys = self._keys[_shard(key)]
        if key not in keys:
            return
        keys[key] -= 1
        if not keys[key]:
            del keys[key]
        if not keys:
            self.changed()


def _shard(key: bytes) -> int:
    hot = pool_and_room(key.decode())
    assert hot is not None
    return shard_of_pool(hot[0])


def _nobody() -> None:
    """Nobody consumes hot topics here."""
