"""Dedicated access nodes on demand. What is ready is seen in the leases, and nowhere else."""

from typing import Protocol


class ProvisionerError(Exception):
    """The pool can't be had now; the message says why in a line. It may be asked again."""


class Provisioner(Protocol):
    """Makes pools of access nodes that run with `access.pool` set to the pool's name."""

    async def provide(self, room: str, pool: str, nodes: int) -> str:
        """Have at least `nodes` nodes in the pool of `room` and return the pool's name, at once:
        nodes get ready later. `pool` is the name it has already ("": none yet). Safe to repeat:
        what has died since is replaced.

        Raises `ProvisionerError` where there are none or too few, or no answer in time.
        """

    async def release(self, room: str, pool: str) -> None:
        """Let the nodes of `pool`, which `room` had ("": nobody knows who), go; they may be asked
        for anew. Safe to repeat, and for a pool that nobody knows.

        Raises `ProvisionerError` where nobody takes it.
        """
