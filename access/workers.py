"""What one of several workers is told: its part of what the config says of all of them. Pure.

Each is a node of its own to the mesh. What bounds the whole is divided; what bounds one client, one
room or one loop is the same in each.
"""

from collections.abc import Collection
from signal import Signals
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


def signals_of(settings: Settings) -> Collection[Signals]:
    """Return the signals that the workers of `settings` understand beside those that end them."""
    return (Signals.SIGHUP,) if settings.edge.tls_cert else ()
