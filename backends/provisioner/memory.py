"""Pools within one process, for tests: it notes what was asked for."""

from backends.provisioner.interface import ProvisionerError
from backends.provisioner.names import pool_of


class MemoryPools:
    """Implements `Provisioner`. It has `most` nodes in all, and fails as `failure` says."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.failure = ""
        self.pools: dict[str, int] = {}
        """The nodes of each pool that was provided and not released."""

    async def provide(self, room: str, pool: str, nodes: int) -> str:
        """See `Provisioner`."""
        self._fail()
        name = pool or pool_of(room)
        others = sum(self.pools.values()) - self.pools.get(name, 0)
        wanted = max(nodes, self.pools.get(name, 0))
        if others + wanted > self.most:
            raise ProvisionerError(f"{nodes} nodes for {name}: has {self.most - others}")
        self.pools[name] = wanted
        return name

    async def release(self, _room: str, pool: str) -> None:
        """See `Provisioner`."""
        self._fail()
        self.pools.pop(pool, None)

    def _fail(self) -> None:
        if self.failure:
            raise ProvisionerError(self.failure)
