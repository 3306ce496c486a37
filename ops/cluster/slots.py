"""Which of a local cluster's dedicated nodes belong to which pool. Pure."""

from collections.abc import Collection, Sequence

from ops.cluster.plan import Node


class TooManyError(Exception):
    """More nodes than there are; the message says how many."""


class DrainingError(Exception):
    """There will be enough nodes when those that drain have ended."""


class Slots:
    """The planned nodes, and the pool of each that has one.

    `running` are the ids of the programs that run now: a node that was released goes on until it
    has drained, and one that was given up is gone though its pool was not released.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._pool_of: dict[str, str] = {}

    def take(self, pool: str, nodes: int, running: Collection[str]) -> list[Node]:
        """Return the nodes to be started so that `pool` has `nodes`; they are its own from now.

        Raises `TooManyError` or `DrainingError`, and then gives none.
        """
        has = {name for name, its in self._pool_of.items() if its == pool and name in running}
        others = {name for name, its in self._pool_of.items() if its != pool and name in running}
        if nodes > len(self._nodes) - len(others):
            left = len(self._nodes) - len(others)
            raise TooManyError(f"{nodes} nodes for {pool}: {left} of {len(self._nodes)} are free")
        free = [node for node in self._nodes if node.id not in running]
        missing = max(nodes - len(has), 0)
        if missing > len(free):
            raise DrainingError(f"{nodes} nodes for {pool}: some still drain")
        for node in free[:missing]:
            self._pool_of[node.id] = pool
        return free[:missing]

    def release(self, pool: str, running: Collection[str]) -> list[str]:
        """Return the ids of the pool's nodes that run; they are nobody's from now."""
        released = [name for name, its in self._pool_of.items() if its == pool]
        for name in released:
            del self._pool_of[name]
        return [name for name in released if name in running]
