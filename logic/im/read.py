"""`read`: how far a user has read, kept, and told to those who may know (a receipt)."""

from collections.abc import Callable

from backends.database.group_commit import GroupCommit
from logic.im.reading import HasRead, Outcome, Reading
from logic.im.said import check_sayable
from logic.im.service import Asker
from logic.signals import Signals
from proto.errors import RequestError
from proto.im_frames import receipt_push
from proto.priorities import Priority
from proto.requests.messages import Read
from proto.server_frames import encode_json


class ReadHandler:
    """Serves `read`."""

    def __init__(
        self, commits: GroupCommit[Reading, Outcome], signals: Signals, now_ms: Callable[[], int]
    ) -> None:
        self._commits = commits
        self._signals = signals
        self._now_ms = now_ms

    async def handle(self, asker: Asker, read: Read) -> bytes:
        """Return the JSON of where the user stands now; raises `RequestError` or
        `StoreUnavailableError`."""
        check_sayable(read.conv, asker.uid)
        outcome = await self._commits.do(Reading(asker.uid, read.conv, read.seq))
        if isinstance(outcome, RequestError):
            raise outcome
        self._tell(asker, read.conv, outcome)
        return encode_json({"conv": read.conv, "seq": outcome.seq})

    def _tell(self, asker: Asker, conv: str, has_read: HasRead) -> None:
        if has_read.told:
            frame = receipt_push(conv, asker.uid, has_read.seq, self._now_ms())
            self._signals.send(Priority.NORMAL, has_read.told, frame, asker.trace)
