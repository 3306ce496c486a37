"""What waits to be sent: in order within each conversation, one on its way at a time. No I/O."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from relaymesh_client.backoff import Backoff, Random
from relaymesh_client.errors import OutboxFull, RelaymeshError, Unanswered
from relaymesh_client.im.events import Acknowledged, Draft, NotSent, Sent
from relaymesh_client.outbox import RETRY_S, Answer, Outbox


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    ticket: int
    give_up_at: float
    number: int | None = None
    """Of the request, once it is made."""


class Sending:
    """Messages until they are answered; `events` and `answers` are emptied by who asks.

    The next message of a conversation leaves when the one before is answered: so they are numbered
    in the order in which they were written, whatever is repeated.
    """

    def __init__(self, outbox: Outbox, random: Random, limit: int = 1000) -> None:
        self.events: list[Acknowledged | NotSent] = []
        self.answers: list[Answer] = []
        self._outbox = outbox
        self._random = random
        self._limit = limit
        self._lines: dict[str, deque[_Waiting]] = {}
        self._asked: dict[int, str] = {}
        """Conversation of each request that is on its way."""

    def __iter__(self) -> Iterator[Draft]:
        """All that wait, in the order of each conversation."""
        return (each.draft for line in self._lines.values() for each in line)

    def add(self, draft: Draft, give_up_at: float) -> int:
        """Add a message and return the ticket of its answer; raises `OutboxFull`."""
        waiting = sum(map(len, self._lines.values()))
        if waiting >= self._limit:
            raise OutboxFull(f"{waiting} messages wait to be sent")
        ticket = self._outbox.new_id()
        line = self._lines.setdefault(draft.conv, deque())
        line.append(_Waiting(draft, ticket, give_up_at))
        return ticket

    def work(self, now: float) -> None:
        """Hand the first of each conversation to the requests; give up what is too late."""
        for conv, line in list(self._lines.items()):
            for each in [one for one in line if one.number is None and one.give_up_at <= now]:
                line.remove(each)
                self._end(each, Unanswered("not sent in time"))
            if line and line[0].number is None:
                self._ask(line[0], now)
            if not line:
                del self._lines[conv]

    def take(self, answer: Answer, now: float) -> bool:
        """Take `answer` if it is that of a message; says whether it is."""
        conv = self._asked.pop(answer.id, None)
        if conv is None:
            return False
        self._answered(self._lines[conv].popleft(), answer)
        self.work(now)
        return True

    def end(self, problem: RelaymeshError) -> None:
        """Answer all with `problem`; who iterates still finds them."""
        for line in self._lines.values():
            self.answers += [Answer(each.ticket, {}, problem) for each in line]

    def next_due(self) -> float | None:
        """Return when `work` has something to give up."""
        times = [each.give_up_at for line in self._lines.values() for each in line]
        return min(times, default=None)

    def _ask(self, waiting: _Waiting, now: float) -> None:
        conv, mid, fields = waiting.draft
        waiting.number = self._outbox.add(
            "send",
            {"conv": conv, "mid": mid, **fields},
            now=now,
            give_up_s=waiting.give_up_at - now,
            backoff=Backoff(self._random, first_s=RETRY_S),
        )
        self._asked[waiting.number] = conv

    def _answered(self, waiting: _Waiting, answer: Answer) -> None:
        if answer.error is not None:
            self._end(waiting, answer.error)
            return
        self.answers.append(answer._replace(id=waiting.ticket))
        self.events.append(Acknowledged(sent_of(answer.ok)))

    def _end(self, waiting: _Waiting, problem: RelaymeshError) -> None:
        self.answers.append(Answer(waiting.ticket, {}, problem))
        self.events.append(NotSent(waiting.draft, problem))


def sent_of(ok: dict[str, object]) -> Sent:
    """Return what the `ok` of a `send` says."""
    conv, seq, number, ts, mid = (ok.get(name) for name in Sent._fields)
    return Sent(str(conv), _whole(seq), str(number), _whole(ts), str(mid))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
