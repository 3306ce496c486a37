"""The client's rules without I/O: messages and the time go in; messages, events, answers come out.

The shell (`client.py`) calls `opened`, `received`, `closed` and `tick`, then empties `outgoing`,
`events` and `answers`, and ends the connection when `must_drop` is set. Times are seconds of one
monotonic clock.
"""

from relaymesh_client.backoff import Random
from relaymesh_client.catalogue import NOT_DONE
from relaymesh_client.directs import Directs
from relaymesh_client.errors import Closed, Refused, RelaymeshError, Unanswered
from relaymesh_client.events import Connected, Disconnected, Event, Frame
from relaymesh_client.frames import frames_of, is_of_stream
from relaymesh_client.greeting import Greeting
from relaymesh_client.im.core import InstantMessages
from relaymesh_client.im.events import Draft, ImPosition
from relaymesh_client.keepalive import Keepalive, Verdict
from relaymesh_client.likes import LikeMerger
from relaymesh_client.membership import Membership
from relaymesh_client.moves import Order, order_of
from relaymesh_client.outbox import Answer, Outbox, encode
from relaymesh_client.repairs import Repairs
from relaymesh_client.room import Standing, priority_of, removed_of
from relaymesh_client.stream import Outcome, Stream

REPEAT_WITHIN_S = 240.0
"""A `mid` is known to the server for 5 minutes: nothing is repeated for longer than this."""
LIKE_ANSWER_S = 10.0
REFRESH_ANSWER_S = 10.0


class Protocol:
    """One user's client over all of its connections."""

    def __init__(
        self,
        random: Random,
        *,
        name: str = "relaymesh-python/0.1",
        device: str = "",
        position: ImPosition | None = None,
    ) -> None:
        self.outgoing: list[str] = []
        self.events: list[Event] = []
        self.answers: list[Answer] = []
        self.must_drop = False
        """The server is silent: the shell should end the connection now."""
        self.ready = False
        """Whether `hello` was accepted on the present connection."""
        self.session: Connected | None = None
        """What the last accepted `hello` was answered with."""
        self.order: Order | None = None
        """To where this connection was told to move."""
        self.token_ends = False
        """The server has said that the present token nears its end: `refresh` it."""
        self.uncertain_likes = 0
        """Likes that were sent and may or may not have been counted."""
        self.refused_likes = 0
        self._random = random
        self._greeting = Greeting(name)
        self._outbox = Outbox()
        self.im = InstantMessages(self._outbox, random, device=device, position=position)
        self._rooms = Membership(self._outbox.new_id)
        self._repairs = Repairs(self._outbox, random)
        self._likes = LikeMerger()
        self._liking: dict[int, tuple[str, int]] = {}
        self._refreshing = 0
        self._directs = Directs()
        self._keepalive = Keepalive()

    # What the application asks for: a ticket is returned, and an `Answer` carries it.

    def join(self, room: str, *, now: float, history: int = 0, give_up_s: float = 30.0) -> int:
        """Want to be in `room` from now on, with up to `history` older messages first."""
        ticket = self._rooms.want(room, history, now + give_up_s)
        self.tick(now)
        return ticket

    def leave(self, room: str, *, now: float, give_up_s: float = 10.0) -> int:
        """Leave `room` and don't come back to it."""
        standing = self._rooms.unwant(room, Unanswered(f"{room} was left"))
        self._likes.discard(room)
        self._repairs.forget_room(room)
        if self.ready and standing in (Standing.ASKED, Standing.JOINED):
            return self.request("leave", {"room": room}, now=now, give_up_s=give_up_s)
        ticket = self._outbox.new_id()
        self.answers.append(Answer(ticket, {}))
        return ticket

    def publish(self, op: str, fields: Frame, *, now: float, give_up_s: float = 60.0) -> int:
        """Send `chat`, `speech`, `gift` or `moderate`, repeated until it is answered: once.

        `fields` gets a `mid` if it has none. Raises `OutboxFull`, and `ValueError` when `give_up_s`
        is over `REPEAT_WITHIN_S`: the server knows a `mid` not much longer than that.
        """
        if not 0 < give_up_s <= REPEAT_WITHIN_S:
            raise ValueError(f"give_up_s must be over 0, at most {REPEAT_WITHIN_S}: {give_up_s}")
        if not fields.get("mid"):
            fields = {**fields, "mid": self.new_mid()}
        return self.request(op, fields, now=now, give_up_s=give_up_s)

    def send(self, draft: Draft, *, now: float, give_up_s: float) -> int:
        """Send an instant message, repeated until it is answered. Raises `OutboxFull`."""
        ticket = self.im.sending.add(draft, now + give_up_s)
        self.tick(now)
        return ticket

    def new_mid(self) -> str:
        """Return an id for a message that no other one has."""
        return f"{self._random.getrandbits(96):024x}"

    def request(self, op: str, fields: Frame, *, now: float, give_up_s: float = 10.0) -> int:
        """Send a request that may be repeated without harm, as `fetch`. Raises `OutboxFull`."""
        self._outbox.admit()
        room = str(fields.get("room", ""))
        ticket = self._outbox.add(op, fields, now=now, give_up_s=give_up_s, room=room)
        self.tick(now)
        return ticket

    def like(self, room: str, count: int, *, now: float) -> None:
        """Like `room` `count` times more; sent merged, at most one frame each 200 ms."""
        if count < 1:
            raise ValueError(f"count must be at least 1: {count}")
        self._likes.add(room, count, now)
        self.tick(now)

    def refresh(self, token: str, *, now: float) -> None:
        """Show another token of the same user. What becomes of it nobody is told: where it is not
        accepted the server ends the connection in the end."""
        self.token_ends = False
        self._refreshing = self._outbox.add(
            "refresh", {"token": token}, now=now, give_up_s=REFRESH_ANSWER_S, repeat=False
        )
        self.tick(now)

    def unconfirmed_likes(self, room: str) -> int:
        """Return the likes of `room` that are not yet known to be counted."""
        sent = sum(count for liked, count in self._liking.values() if liked == room)
        return self._likes.waiting(room) + sent

    # What happens on the connection.

    def opened(self, token: str, *, now: float, followed: Order | None = None) -> None:
        """A WebSocket is open: say `hello` and join the rooms in the same round trip.

        `followed` is the order to move that led here.
        """
        self.must_drop, self.order, self.token_ends = False, None, False
        self._greeting.begin(token, followed)
        self._say_hello(now)

    @property
    def hello_error(self) -> Refused | None:
        """Why `hello` was not accepted on the last connection."""
        return self._greeting.error

    def follows(self, order: Order) -> bool:
        """Say whether `order` is still to be followed: not when its room was left, or another one
        came."""
        return self.order is order and not (order.room and self._rooms.get(order.room) is None)

    def received(self, text: str, *, now: float) -> None:
        """A message came: an array of frames. What can't be understood is ignored."""
        if self.ready:
            self._keepalive.heard(now)
        for frame in frames_of(text):
            if "reply" in frame:
                self._reply(frame, now)
            elif frame.get("push") == "direct":
                self.events += self._directs.take(frame)
            elif not (self._ordered(frame, now) or self.im.push(frame, now)):
                self._push(frame, now)
        self.tick(now)

    def _ordered(self, frame: Frame, now: float) -> bool:
        """Take what the server wants of this client itself; says whether it was that."""
        match frame.get("push"):
            case "expiring":
                self.token_ends = True
            case "removed":
                self._removed(frame)
            case "move":
                self.order = order_of(frame, now) or self.order
            case _:
                return False
        return True

    def closed(self, code: int | None, reason: str, *, now: float, reconnecting: bool) -> None:
        """The connection ended with close `code`, or broke (`None`)."""
        self.ready, self.order, self.token_ends = False, None, False
        self._greeting.ended(now)
        self.outgoing.clear()
        self._keepalive.closed()
        self._repairs.forget_all()
        self._rooms.disconnected()
        self.im.disconnected()
        self._finish(self._outbox.disconnected(now), now)
        self.events.append(Disconnected(code, reason, reconnecting))

    def end(self, problem: Closed) -> None:
        """Nothing will be sent any more: answer everything that is still open."""
        self._rooms.end(problem)
        self.im.end(problem)
        self.answers += self._outbox.end(problem)
        self._collect()

    def tick(self, now: float) -> None:
        """Let time pass: repeats, time-outs, merged likes, a ping into the silence."""
        self._finish(self._outbox.expired(now), now)
        self._rooms.expire(now)
        self._watch(now)
        acks = self.im.tick(now)
        if self.ready:
            self.outgoing += map(encode, acks)
            self.outgoing += self._rooms.due(now)
            self._send_likes(now)
            self.outgoing += self._outbox.due(now, self._rooms.may_send)
        self._collect()

    def next_tick(self) -> float | None:
        """Return when `tick` should be called at the latest."""
        may_send = self._rooms.may_send if self.ready else None
        times = [
            self._outbox.next_due(may_send),
            self._rooms.next_due(self.ready),
            self._likes.next_due(may_send) if may_send else None,
            self.im.next_due(ready=self.ready),
            self._keepalive.next_due(),
        ]
        return min((at for at in times if at is not None), default=None)

    def _watch(self, now: float) -> None:
        verdict = self._keepalive.check(now)
        if verdict is Verdict.GIVE_UP or self.im.is_to_reconnect(now):
            self.must_drop = True
        elif verdict is Verdict.PING:
            self.outgoing.append(encode({"op": "ping", "id": self._outbox.new_id()}))

    def _send_likes(self, now: float) -> None:
        for room, count in self._likes.take(now, self._rooms.may_send):
            number = self._outbox.add(
                "like",
                {"room": room, "count": count},
                now=now,
                give_up_s=LIKE_ANSWER_S,
                room=room,
                repeat=False,
            )
            self._liking[number] = (room, count)

    def _reply(self, frame: Frame, now: float) -> None:
        if frame["reply"] == self._greeting.number:
            self._greeted(frame, now)
        elif not self._rooms.replied(frame, now):
            answer = self._outbox.answered(frame, now)
            self._finish([answer] if answer else [], now)
        self._collect()

    def _say_hello(self, now: float) -> None:
        self._keepalive.opened(now)
        join = self._rooms.for_hello(self._greeting.first_room)
        parts = self.im.spec() | ({"join": join} if join else {})
        self.outgoing.append(self._greeting.message(self._outbox.new_id(), parts))

    def _greeted(self, frame: Frame, now: float) -> None:
        if "error" in frame:
            if self._greeting.refused(frame["error"]):
                self._say_hello(now)
            return
        ok = frame["ok"]
        self.ready = True
        self._keepalive.greeted(max(0.05, ok.get("heartbeat_ms", 25_000) / 1000), now)
        names = (str(ok.get(name, "")) for name in ("uid", "node", "session"))
        before, self.session = self.session, Connected(*names)
        self.events.append(self.session)
        self.events += self._greeting.moved(before, self.session, now)
        for room, answer in ok.get("rooms", {}).items():
            failed = "error" in answer
            self._rooms.answered(room, answer if failed else {"ok": answer}, now)
        self.im.greeted(ok.get("im"), now)

    def _finish(self, answers: list[Answer], now: float) -> None:
        for answer in answers:
            repaired = self._repairs.take(answer, now)
            if repaired is not None:
                self.events += repaired
            elif answer.id == self._refreshing:
                self._refreshing = 0
            elif answer.id in self._liking:
                self._liked(self._liking.pop(answer.id)[1], answer.error)
            elif not self.im.answered(answer, now):
                self.answers.append(answer)

    def _liked(self, count: int, error: RelaymeshError | None) -> None:
        if isinstance(error, Refused) and error.code in NOT_DONE | {"forbidden", "not_joined"}:
            self.refused_likes += count
        elif error is not None:
            self.uncertain_likes += count

    def _push(self, frame: Frame, now: float) -> None:
        room, priority = self._rooms.get(frame.get("room")), priority_of(frame)
        if room is None or priority is None or not is_of_stream(frame):
            return
        stream = room.streams.get(priority)
        if stream is not None:
            self._take_outcome(stream, stream.take(frame), now)

    def _removed(self, frame: Frame) -> None:
        """The room has sent this client out: it is wanted no more."""
        removed = removed_of(frame)
        if self._rooms.unwant(removed.room, Unanswered(f"{removed.room}: {removed.reason}")):
            self._likes.discard(removed.room)
            self._repairs.forget_room(removed.room)
            self.events.append(removed)

    def _take_outcome(self, stream: Stream, outcome: Outcome, now: float) -> None:
        self.events += outcome.events
        if outcome.fetch is not None:
            self._repairs.ask(stream, outcome.fetch, now)

    def _collect(self) -> None:
        self.events += self._rooms.events
        self.answers += self._rooms.answers
        self._rooms.events.clear()
        self._rooms.answers.clear()
        events, answers = self.im.collect()
        self.events += events
        self.answers += answers
