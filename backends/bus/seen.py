"""Which records a consumer has seen: the bus delivers at least once."""

from collections import OrderedDict


class Seen:
    """Ids seen during the last `max_age_s` seconds, and no more than `max_ids` of them.

    Beyond either bound the oldest are forgotten, and a duplicate of them passes. Give a `max_age_s`
    longer than the bus takes to redeliver (RocketMQ: 30 s after a broker's crash).
    """

    def __init__(self, max_age_s: float = 120.0, max_ids: int = 200_000) -> None:
        self.max_age_s = max_age_s
        self.max_ids = max_ids
        self.duplicates = 0
        self._seen_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen_at)

    def is_new(self, record_id: str, now_s: float) -> bool:
        """Note that `record_id` came at `now_s`; False if it is known, which counts a duplicate."""
        self._forget(now_s)
        if record_id in self._seen_at:
            self.duplicates += 1
            return False
        self._seen_at[record_id] = now_s
        if len(self._seen_at) > self.max_ids:
            self._seen_at.popitem(last=False)
        return True

    def forget(self, record_id: str) -> None:
        """Take back `is_new`, for a record whose handling failed and which will come again."""
        self._seen_at.pop(record_id, None)

    def _forget(self, now_s: float) -> None:
        while self._seen_at:
            oldest = next(iter(self._seen_at))
            if now_s - self._seen_at[oldest] <= self.max_age_s:
                return
            del self._seen_at[oldest]
