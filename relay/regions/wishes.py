"""What this relay's own nodes want of rooms that are at home in other regions. Pure."""

from collections.abc import Callable, Mapping
from typing import Protocol

from proto.heat import pool_and_room


class Asked(Protocol):
    """The link to one other region, as far as interest is announced on it."""

    def want(self, room: str) -> None:
        """Announce interest in `room`."""

    def unwant(self, room: str) -> None:
        """Withdraw it."""

    def want_once(self, key: str) -> None:
        """Announce interest in `key` to one relay: all relays of this region to the same."""

    def unwant_once(self, key: str) -> None:
        """Withdraw it."""


class Wishes:
    """Announces what the first of our nodes wants, and withdraws it with the last one's."""

    def __init__(self, home_of: Callable[[str], str], links: Mapping[str, Asked]) -> None:
        self._home_of = home_of
        self._links = links
        self._region_of: dict[bytes, str] = {}

    def changed(self, key: bytes, wanted: bool) -> None:
        """Note that some node of ours wants `key` now, or none does any longer."""
        name = key.decode()
        region = self._home_of(name) if wanted else self._region_of.pop(key, "")
        link = self._links.get(region)
        if link is None:
            return
        hot = pool_and_room(name) is not None
        if wanted:
            self._region_of[key] = region
            (link.want_once if hot else link.want)(name)
        else:
            (link.unwant_once if hot else link.unwant)(name)

    def wanted_of(self, region: str, key: bytes) -> bool:
        """Say whether `key` is wanted of `region`: what is not may not come from there."""
        return self._region_of.get(key) == region
