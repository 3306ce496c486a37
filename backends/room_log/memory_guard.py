"""What the room log in memory looks at before it keeps a message, and notes when it has."""

from dataclasses import replace

from backends.moderation.interface import Change
from backends.moderation.memory import MemoryModeration
from backends.room_log import refusals
from backends.room_log.interface import Appended, Terms
from proto.roles import RANKS, VIEWER


class Guard:
    """Terms of messages: bans, mutes, slow mode, receipts used once."""

    def __init__(self, moderation: MemoryModeration) -> None:
        self._moderation = moderation
        self._receipts: dict[tuple[str, str], tuple[str, int, Appended]] = {}
        """By room and receipt: with which `mid`, remembered until when, and the answer."""
        self._spoke_until: dict[tuple[str, str], int] = {}

    def first(self, room: str, mid: str, now_ms: int, terms: Terms | None) -> Appended | None:
        """Return the first answer to this receipt and `mid`; raises `receipt_used`."""
        if terms is None or terms.payment is None:
            return None
        first_mid, until_ms, answer = self._receipts.get(
            (room, terms.payment.receipt), ("", 0, None)
        )
        if answer is None or until_ms <= now_ms:
            return None
        if first_mid != mid:
            raise refusals.receipt_used()
        return replace(answer, again=True)

    def admit(self, room: str, uid: str, now_ms: int, terms: Terms | None) -> None:
        """Raise `RequestError` where the terms do not hold."""
        if terms is None:
            return
        for kind, refused in (("ban", refusals.banned), ("mute", refusals.muted)):
            until_ms = self._moderation.bound_until(kind, room, uid, terms.rank)
            if until_ms is not None:
                raise refused(until_ms, now_ms)
        wait_ms = self._spoke_until.get((room, uid), 0) - now_ms
        if wait_ms > 0 and self._is_slow(room, terms):
            raise refusals.too_fast(wait_ms)
        if terms.change is not None:
            self._admit_change(room, terms.change)

    def _admit_change(self, room: str, change: Change) -> None:
        made_by = self._moderation.rank_of(room, change)
        if made_by > change.rank:
            raise refusals.outranked(made_by)
        if not self._moderation.has_place(room, change):
            raise refusals.full()

    def kept(self, room: str, uid: str, mid: str, answer: Appended, terms: Terms | None) -> None:
        """Note a message that was kept."""
        if terms is None:
            return
        if self._is_slow(room, terms):
            self._spoke_until[room, uid] = answer.ts_ms + self._moderation.slow_ms(room)
        if terms.payment is not None:
            until_ms = answer.ts_ms + terms.payment.ttl_ms
            self._receipts[room, terms.payment.receipt] = (mid, until_ms, answer)
        if terms.change is not None:
            self._moderation.change(room, terms.change)

    def _is_slow(self, room: str, terms: Terms) -> bool:
        return terms.slow and terms.rank == RANKS[VIEWER] and self._moderation.slow_ms(room) > 0
