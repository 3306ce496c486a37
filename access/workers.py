"""What one of several workers is told: its part of what the config says of all of them. Pure.

Each is a node of its own to the mesh. What bounds the whole is divided; what bounds one client, one
room or one loop is the same in each.
"""

from typing import Any

from access.settings import Settings


def share_of(settings: Settings, index: int) -> dict[str, Any]:
    """Return the keys in which worker `index` (from 0) of `settings.workers` differs, by path."""

    def part(total: int) -> int:
        count = settings.workers
        return max(1, total // count + (index < total % count))

    return {
        "workers": 1,
        "edge.reuse_port": True,
        "edge.max_connections": part(settings.edge.max_connections),
        "chat_under_way": part(settings.chat_under_way),
    }
