"""The rooms a client wants to be in, joined again on each connection. No I/O."""

from collections.abc import Callable

from relaymesh_client.catalogue import may_retry
from relaymesh_client.errors import Refused, RelaymeshError, Unanswered, refused
from relaymesh_client.events import Event, Frame, Left
from relaymesh_client.outbox import RETRY_S, Answer, encode
from relaymesh_client.room import Room, Standing

MAX_ROOMS_PER_HELLO = 20


class Membership:
    """Keeps each wanted room joined; `events` and `answers` are emptied by the protocol."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self.events: list[Event] = []
        self.answers: list[Answer] = []
        self._new_id = new_id
        self._rooms: dict[str, Room] = {}
        self._asked: dict[int, str] = {}

    def get(self, name: object) -> Room | None:
        """Return the wanted room `name`."""
        return self._rooms.get(name) if isinstance(name, str) else None

    def may_send(self, name: str) -> bool:
        """Say whether requests to room `name` can go now: not while it waits to be joined."""
        room = self._rooms.get(name)
        return room is None or room.standing is Standing.JOINED

    def want(self, name: str, history: int, give_up_at: float) -> int:
        """Want room `name` from now on; returns the ticket of the answer."""
        ticket = self._new_id()
        if name in self._rooms:
            problem = Refused("bad_frame", f"room {name} is joined already", field="room")
            self.answers.append(Answer(ticket, {}, problem))
        else:
            self._rooms[name] = Room(name, history, ticket, give_up_at)
        return ticket

    def unwant(self, name: str, problem: RelaymeshError) -> Standing | None:
        """Forget room `name`; returns where the client stood with it. An open join fails so."""
        room = self._rooms.pop(name, None)
        if room is None:
            return None
        self._answer(room, {}, problem)
        return room.standing

    def for_hello(self, first: str = "") -> list[Frame]:
        """Return what `hello` should join, room `first` before others; the rest is asked for
        afterwards."""
        wanted = sorted(self._rooms.values(), key=lambda room: room.name != first)
        rooms = wanted[:MAX_ROOMS_PER_HELLO]
        for room in rooms:
            room.standing = Standing.ASKED
        return [room.spec() for room in rooms]

    def due(self, now: float) -> list[str]:
        """Return the `join` messages to send now."""
        return [self._ask(room) for room in self._wanted() if room.ask_at <= now]

    def replied(self, frame: Frame, now: float) -> bool:
        """Take a reply if it answers a `join`; returns whether it did."""
        name = self._asked.pop(frame["reply"], None)
        if name is None:
            return False
        self.answered(name, frame, now)
        return True

    def answered(self, name: str, answer: Frame, now: float) -> None:
        """Take the answer to the join of `name`: an object with `ok` or `error`."""
        room = self._rooms.get(name)
        if room is None:
            return
        error = answer.get("error")
        if error is None:
            self.events.append(room.joined(answer["ok"]))
            self._answer(room, answer["ok"], None)
            return
        problem = refused(error)
        if may_retry(problem.code):
            room.standing = Standing.WANTED
            room.ask_at = now + (problem.retry_after_ms / 1000 or RETRY_S)
        else:
            self._lose(room, problem)

    def disconnected(self) -> None:
        """Make ready for the next connection."""
        self._asked.clear()
        for room in self._rooms.values():
            room.disconnected()

    def expire(self, now: float) -> None:
        """Give up joins whose time is over. A room that was joined once is never given up."""
        for room in [each for each in self._rooms.values() if each.ticket is not None]:
            if room.give_up_at <= now:
                self._lose(room, Unanswered(f"no answer to the join of {room.name} in time"))

    def end(self, problem: RelaymeshError) -> None:
        """Answer every open join with `problem`."""
        for room in self._rooms.values():
            self._answer(room, {}, problem)

    def next_due(self, ready: bool) -> float | None:
        """Return when `expire`, or (when `ready`) `due`, has work."""
        times = [room.give_up_at for room in self._rooms.values() if room.ticket is not None]
        if ready:
            times += [room.ask_at for room in self._wanted()]
        return min(times, default=None)

    def _wanted(self) -> list[Room]:
        return [each for each in self._rooms.values() if each.standing is Standing.WANTED]

    def _ask(self, room: Room) -> str:
        number = self._new_id()
        self._asked[number] = room.name
        room.standing = Standing.ASKED
        return encode({"op": "join", "id": number, **room.spec()})

    def _lose(self, room: Room, problem: RelaymeshError) -> None:
        del self._rooms[room.name]
        self._answer(room, {}, problem)
        self.events.append(Left(room.name, problem if isinstance(problem, Refused) else None))

    def _answer(self, room: Room, ok: Frame, problem: RelaymeshError | None) -> None:
        if room.ticket is not None:
            self.answers.append(Answer(room.ticket, ok, problem))
            room.ticket = None
