"""Takes what was revoked in the region of accounts over into the store of this one."""

import structlog
import trio

from backends.errors import StoreUnavailableError
from backends.revocations.interface import Revocations
from mesh.interface import Mesh
from proto.auth_services import RevocationsBody, decode_changes
from proto.errors import RequestError
from proto.priorities import Priority
from proto.services import Method, encode

POLL_S = 0.2
"""With the way there and back and the quarter of a second of the nodes here: less than a second."""

log = structlog.get_logger()


class Elsewhere:
    """Asks the home of users what is new. Each logic node does, so that none is waited for when it
    dies; a revocation that is written again changes nothing."""

    def __init__(self, mesh: Mesh, home: str, revocations: Revocations) -> None:
        self._mesh = mesh
        self._home = home
        self._revocations = revocations
        self._version = 0
        self._away = False

    async def run(self) -> None:
        """Ask until cancelled. While home can't be reached, what is known here holds."""
        while True:
            try:
                more = await self._ask()
                self._away = False
            except (RequestError, StoreUnavailableError) as error:
                if not self._away:
                    log.warning("revocations_not_taken_over", home=self._home, reason=str(error))
                self._away, more = True, False
            if not more:
                await trio.sleep(POLL_S)

    async def _ask(self) -> bool:
        raw = await self._mesh.request(
            Method.REVOCATIONS,
            Priority.URGENT,
            encode(RevocationsBody(self._version)),
            home=self._home,
        )
        changes = decode_changes(raw)
        if changes.revocations:
            await self._revocations.revoke(changes.revocations)
        # Only now: what the store here did not take is asked for again.
        self._version = changes.version
        return changes.more
