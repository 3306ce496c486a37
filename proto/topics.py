"""The bus topics: one for each priority downwards, the hot ones, one for likes upwards."""

from enum import StrEnum

from proto.heat import shard_of_pool
from proto.priorities import Priority


class Topic(StrEnum):
    """A bus topic; its value is the name on the broker, behind the cluster's prefix."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"
    LIKES = "likes"
    """Upwards: the cumulative like counts of access nodes, consumed by logic."""
    CONVERSATIONS = "conversations"
    """Within logic: a conversation has a new message, to be put into its members' mailboxes."""
    HOT_URGENT_0 = "hot-urgent-0"
    """The hot way, by priority and shard of pools: each relay consumes all of it (broadcast)."""
    HOT_URGENT_1 = "hot-urgent-1"
    HOT_URGENT_2 = "hot-urgent-2"
    HOT_URGENT_3 = "hot-urgent-3"
    HOT_NORMAL_0 = "hot-normal-0"
    HOT_NORMAL_1 = "hot-normal-1"
    HOT_NORMAL_2 = "hot-normal-2"
    HOT_NORMAL_3 = "hot-normal-3"
    HOT_BULK_0 = "hot-bulk-0"
    HOT_BULK_1 = "hot-bulk-1"
    HOT_BULK_2 = "hot-bulk-2"
    HOT_BULK_3 = "hot-bulk-3"

    @classmethod
    def of(cls, priority: Priority) -> "Topic":
        """Return the topic that carries messages of `priority`."""
        return BY_PRIORITY[priority]

    @classmethod
    def hot(cls, priority: Priority, pool: str) -> "Topic":
        """Return the topic that carries messages of `priority` to `pool`."""
        return cls.of_shard(priority, shard_of_pool(pool))

    @classmethod
    def of_shard(cls, priority: Priority, shard: int) -> "Topic":
        """Return the hot topic of `priority` and a shard of pools."""
        return cls(f"hot-{priority.label}-{shard}")


BY_PRIORITY = (Topic.URGENT, Topic.NORMAL, Topic.BULK)
