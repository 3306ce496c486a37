"""When to try again, and where: delays that grow and jitter, endpoints that rotate. No I/O."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class Random(Protocol):
    """The part of `random.Random` that is used."""

    def uniform(self, a: float, b: float) -> float:
        """Return a number from `a` to `b`."""

    def getrandbits(self, k: int) -> int:
        """Return a number of `k` random bits."""


class Backoff:
    """Delays of `first_s` × `factor`^n up to `most_s`, each ±50 %, so that a crowd spreads out."""

    def __init__(
        self, random: Random, *, first_s: float = 0.2, factor: float = 1.6, most_s: float = 10.0
    ) -> None:
        self._random = random
        self._first_s = first_s
        self._factor = factor
        self._most_s = most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the seconds to wait before the next attempt."""
        delay_s = self._next_s
        self._next_s = min(self._next_s * self._factor, self._most_s)
        return delay_s * self._random.uniform(0.5, 1.5)

    def settle(self) -> None:
        """Start small again: the last connection held."""
        self._next_s = self._first_s


LONGEST_REST_S = 60.0
"""What a Retry-After counts for at most: a wrong one must not keep a client away for a day."""


def retry_after_s(headers: Iterable[tuple[bytes, bytes]]) -> float:
    """Return the seconds that a refusal asks for, 0.0 where it does not; a date counts as none."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.strip().isdigit():
            return min(float(value), LONGEST_REST_S)
    return 0.0


class Endpoint(NamedTuple):
    """An access node as the gateway names it."""

    url: str
    node: str = ""


class EndpointChoice:
    """Takes the gateway's first choice, unless this client just came from there."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failed: list[str] = []
        self._rests_until: dict[str, float] = {}

    def choose(self, endpoints: Sequence[Endpoint]) -> Endpoint:
        """Return the first endpoint that has not failed, else the one whose failure is oldest.

        `endpoints` must not be empty.
        """
        known = [each.url for each in endpoints]
        self._failed = [url for url in self._failed if url in known]
        return min(endpoints, key=lambda each: self._rank(each.url))

    def failed(self, url: str) -> None:
        """Remember that a connection to `url` failed or ended."""
        if url in self._failed:
            self._failed.remove(url)
        self._failed.append(url)

    def asked_to_rest(self, url: str, rest_s: float, now: float) -> None:
        """Remember that `url` has no room and asks to be left alone for `rest_s` seconds.

        Up to a second is added at random, since many are told the same whole number.
        """
        if rest_s:
            self._rests_until[url] = now + rest_s + self._random.uniform(0.0, 1.0)

    def rest_s(self, url: str, now: float) -> float:
        """Return the seconds for which `url` must still be left alone."""
        return max(0.0, self._rests_until.get(url, now) - now)

    def _rank(self, url: str) -> int:
        return self._failed.index(url) if url in self._failed else -1
