"""Instant messages of one device over all of its connections. No I/O.

`Protocol` calls it, and sends the requests that it hands to the `Outbox`. Times are seconds of one
monotonic clock.
"""

from relaymesh_client.backoff import Backoff, Random
from relaymesh_client.conversations import MAILBOX, hot_stream
from relaymesh_client.errors import Refused, RelaymeshError, refused
from relaymesh_client.events import Frame
from relaymesh_client.im.acks import Acks
from relaymesh_client.im.events import ImEvent, ImPosition, ImUnavailable, MailboxOpened, Message
from relaymesh_client.im.frames import is_message, signal_of
from relaymesh_client.im.inbox import Inbox
from relaymesh_client.im.pages import Pages
from relaymesh_client.im.sending import Sending
from relaymesh_client.outbox import Answer, Outbox

MAX_OWED = 1000
"""Messages given to the application and not taken, beyond which no further page is asked for."""
WATCH_S = 30.0
AWAY_S = 3.0
"""Seconds until the first try of another connection, where one had no instant messages."""
MOST_AWAY_S = 60.0


class InstantMessages:
    """What `hello` says of the device, what comes for it, what it acknowledges and sends.

    Without a `device` nothing comes; requests can be made all the same. A message is acknowledged
    when `take` or `take_all` says that the application has it.
    """

    def __init__(
        self,
        outbox: Outbox,
        random: Random,
        *,
        device: str = "",
        position: ImPosition | None = None,
    ) -> None:
        self.events: list[ImEvent] = []
        self.sending = Sending(outbox, random)
        self._device = device
        self._outbox = outbox
        self._acks = Acks()
        self._inbox = Inbox(position or ImPosition(), self._acks)
        self._pages = Pages(self._inbox, outbox, random)
        self._away = Backoff(random, first_s=AWAY_S, most_s=MOST_AWAY_S)
        self._watched: list[str] | None = None
        self._is_open = False
        self._reconnect_at: float | None = None

    @property
    def position(self) -> ImPosition:
        """How far all was taken: where the device goes on with another client."""
        taken = self._acks.taken()
        hot = {conv: taken[hot_stream(conv)] for conv in self._inbox.known_hot()}
        return ImPosition(self._inbox.epoch, taken.get(MAILBOX), hot)

    # What the application asks for.

    def take(self, message: Message, now: float) -> None:
        """The application has `message`."""
        self._acks.take(message.stream, message.n, now)

    def take_all(self, now: float) -> None:
        """The application has all messages that it was given."""
        self._acks.take_all(now)

    def watch(self, uids: list[str]) -> Frame:
        """Remember whose presence is watched, over reconnects; returns the request's fields."""
        self._watched = list(uids)
        return {"uids": self._watched}

    # What happens on the connection.

    def spec(self) -> Frame:
        """Return what `hello` says of instant messages: nothing without a device."""
        if not self._device:
            return {}
        position = self.position
        im: Frame = {"device": self._device}
        if position.since is not None:
            im |= {"epoch": position.epoch, "since": position.since}
            im |= {"hot": dict(position.hot)} if position.hot else {}
        return {"im": im}

    def greeted(self, answer: object, now: float) -> None:
        """Take `ok.im` of the answer to `hello`, and watch again."""
        if self._watched is not None:
            self._outbox.add("watch", {"uids": self._watched}, now=now, give_up_s=WATCH_S)
        if not self._device:
            return
        if isinstance(answer, dict) and _is_opened(answer):
            self._opened(answer, now)
        else:
            self._unavailable(answer, now)

    def push(self, frame: Frame, now: float) -> bool:
        """Take a push; says whether it was one of instant messages."""
        if frame.get("push") == "message" or "stream" in frame:
            if self._is_open and is_message(frame):
                self._inbox.take(frame, now)
            return True
        signal = signal_of(frame)
        if signal is not None:
            self.events.append(signal)
        return signal is not None

    def answered(self, answer: Answer, now: float) -> bool:
        """Take `answer` if it is that of a request made here; says whether it is."""
        if self._pages.take(answer):
            self._inbox.work(now)
            return True
        return self.sending.take(answer, now)

    def disconnected(self) -> None:
        """The connection has ended."""
        self._is_open = False
        self._reconnect_at = None
        self._pages.forget_all()
        self._inbox.disconnected()
        self._acks.closed()

    def end(self, problem: RelaymeshError) -> None:
        """Nothing will be sent any more."""
        self.sending.end(problem)

    def tick(self, now: float) -> list[Frame]:
        """Let time pass; returns the frames to send that are no requests."""
        self.sending.work(now)
        if not self._is_open:
            return []
        if self._acks.owed <= MAX_OWED:
            self._pages.ask(now)
        held = {name: stream.held() for name, stream in self._inbox.streams().items()}
        return self._acks.due(now, held)

    def is_to_reconnect(self, now: float) -> bool:
        """Say, once, that another connection should be tried: this one has no instant messages."""
        if self._reconnect_at is None or now < self._reconnect_at:
            return False
        self._reconnect_at = None
        return True

    def next_due(self, *, ready: bool) -> float | None:
        """Return when `tick` has something to do."""
        times = [self.sending.next_due(), self._reconnect_at]
        if ready and self._is_open:
            times.append(self._acks.next_due())
        return min((at for at in times if at is not None), default=None)

    def collect(self) -> tuple[list[ImEvent], list[Answer]]:
        """Return the events and answers since the last time."""
        self._collect()
        events, self.events = self.events, []
        answers, self.sending.answers = self.sending.answers, []
        return events, answers

    def _collect(self) -> None:
        self.events += self._inbox.events
        self.events += self.sending.events
        self._inbox.events, self.sending.events = [], []

    def _opened(self, answer: Frame, now: float) -> None:
        epoch, head, standing = answer["epoch"], answer["head"], answer["standing"]
        self._is_open = True
        self._away.settle()
        self.events.append(MailboxOpened(standing, epoch, head))
        self._inbox.opened(epoch, head, answer["start"], standing, _starts(answer.get("hot")))
        self._inbox.work(now)

    def _unavailable(self, answer: object, now: float) -> None:
        error = answer.get("error") if isinstance(answer, dict) else None
        problem = refused(error) if isinstance(error, dict) else Refused("", "no instant messages")
        wait_s = max(self._away.next_s(), problem.retry_after_ms / 1000)
        self._reconnect_at = now + wait_s
        self.events.append(ImUnavailable(problem))


def _is_opened(answer: Frame) -> bool:
    texts = all(isinstance(answer.get(name), str) for name in ("epoch", "standing"))
    return texts and all(isinstance(answer.get(name), int) for name in ("head", "start"))


def _starts(hot: object) -> dict[str, int]:
    if not isinstance(hot, dict):
        return {}
    return {
        conv: at["start"]
        for conv, at in hot.items()
        if isinstance(at, dict) and isinstance(at.get("start"), int)
    }
