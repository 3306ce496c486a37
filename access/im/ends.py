"""Where mailboxes and hot groups end now, from logic."""

from collections.abc import Callable

import msgspec
import structlog

from access.im.counters import ImCounters
from mesh.interface import Mesh
from proto.errors import RequestError
from proto.im_services import TailsAnswer, TailsBody, decode_tails_answer
from proto.priorities import Priority
from proto.services import Method, encode

log = structlog.get_logger()

_NOTHING = TailsAnswer([], [])


class Ends:
    """Asks, and takes no answer for one that says nothing."""

    def __init__(self, mesh: Mesh, counters: ImCounters, new_trace: Callable[[], str]) -> None:
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace

    async def of(self, uids: list[str], hot: list[str]) -> TailsAnswer:
        """Return the ends of the mailboxes of `uids` and of the groups `hot`, in that order; both
        are empty where no answer came."""
        self._counters.tails += 1
        try:
            answer = await self._mesh.request(
                Method.TAILS,
                Priority.NORMAL,
                encode(TailsBody(uids, hot)),
                trace=self._new_trace(),
                repeatable=True,
            )
            return decode_tails_answer(answer)
        except (RequestError, msgspec.MsgspecError) as error:
            self._counters.tails_errors += 1
            log.info("tails_failed", users=len(uids), hot=len(hot), error=str(error))
            return _NOTHING
