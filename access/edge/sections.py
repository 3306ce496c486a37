"""The members of one room, apart by what they can read: each section gets its own frame."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

from access.edge.audience import Member, SeatedAudience
from access.edge.deflate import PLAIN, encode_for, window_bits
from access.edge.interface import Batch, Connection


class AfterAll:
    """Calls `done` when it has itself been called `count` times."""

    def __init__(self, count: int, done: Callable[[], None]) -> None:
        self._left = count
        self._done = done

    def __call__(self) -> None:
        """Take note that one of them is done."""
        self._left -= 1
        if self._left == 0:
            self._done()


class SectionedAudience:
    """An `interface.Audience`; a section for each window that members have agreed to.

    Nearly all agree to the same one or to none, so there are two sections at most, and one frame
    is compressed. The others cost a bounded round more each: there are seven windows.
    """

    __slots__ = ("_deflate_from_bytes", "_sections")

    def __init__(self, deflate_from_bytes: int) -> None:
        self._deflate_from_bytes = deflate_from_bytes
        self._sections: dict[int, SeatedAudience] = {}

    def __len__(self) -> int:
        return sum(map(len, self._sections.values()))

    def add(self, connection: Connection) -> None:
        """See `interface.Audience`."""
        self._section(cast("Member", connection).deflate_bits).add(connection)

    def discard(self, connection: Connection) -> None:
        """See `interface.Audience`."""
        self._section(cast("Member", connection).deflate_bits).discard(connection)

    def rounds(self, batch: Batch) -> Iterator[tuple[SeatedAudience, Batch, bytes]]:
        """Yield for each section that has members its round and its frame.

        `batch.done` comes after the last of them; an empty audience has one round, of nobody.
        """
        sections = {bits: section for bits, section in self._sections.items() if len(section)}
        if not sections:
            sections = {PLAIN: self._section(PLAIN)}
        if len(sections) > 1 and batch.done is not None:
            batch = replace(batch, done=AfterAll(len(sections), batch.done))
        frames: dict[int, bytes] = {}
        for agreed_bits, section in sections.items():
            bits = self._bits(agreed_bits, len(batch.message))
            if bits not in frames:
                frames[bits] = encode_for(batch.message, bits)
            yield section, batch, frames[bits]

    def _bits(self, agreed_bits: int, size_bytes: int) -> int:
        deflated = size_bytes >= self._deflate_from_bytes
        return window_bits(agreed_bits, size_bytes) if deflated else PLAIN

    def _section(self, bits: int) -> SeatedAudience:
        if bits not in self._sections:
            self._sections[bits] = SeatedAudience()
        return self._sections[bits]
