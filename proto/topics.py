"""The bus topics: one for each priority downwards, one for likes upwards."""

from enum import StrEnum

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

    @classmethod
    def of(cls, priority: Priority) -> "Topic":
        """Return the topic that carries messages of `priority`."""
        return BY_PRIORITY[priority]


BY_PRIORITY = (Topic.URGENT, Topic.NORMAL, Topic.BULK)
