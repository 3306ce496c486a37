"""How much of a shared bound each priority may fill, so that a flood leaves room for urgent."""

from proto.priorities import Priority

_QUARTERS = {Priority.URGENT: 4, Priority.NORMAL: 3, Priority.BULK: 2}


def share(limit: int, priority: int) -> int:
    """Return how many of `limit` places may be taken when one of `priority` asks for the next.

    Urgent may take the last, normal leaves a quarter free, bulk a half; one place is everybody's.
    """
    return max(1, limit * _QUARTERS[Priority(priority)] // 4)
