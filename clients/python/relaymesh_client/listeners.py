"""The application's queues of events, and what came before there was one for it."""

from collections import deque
from collections.abc import Callable

from relaymesh_client.errors import Closed
from relaymesh_client.event_queue import EventQueue
from relaymesh_client.events import Event
from relaymesh_client.im.events import Kept

Wants = Callable[[Event], bool]
"""Says whether a queue is for an event."""


class Listeners:
    """Puts each event into the queues that want it.

    Instant messages that nobody wants yet wait for the first queue that does. They are as many as
    the server sends without an acknowledgement.
    """

    def __init__(self, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._queues: list[tuple[Wants, EventQueue]] = []
        self._unheard: deque[Kept] = deque()
        self._closed: Closed | None = None

    def add(self, wants: Wants, capacity: int) -> EventQueue:
        """Return a new queue of the events from now on that `wants` agrees with."""
        queue = EventQueue(capacity, self._on_room)
        self._queues.append((wants, queue))
        unheard, self._unheard = self._unheard, deque()
        for event in unheard:
            self.put(event)
        if self._closed is not None:
            queue.end(self._closed)
        self._on_room()
        return queue

    def remove(self, queue: EventQueue) -> None:
        """Put nothing into `queue` any more."""
        self._queues = [each for each in self._queues if each[1] is not queue]

    def put(self, event: Event) -> None:
        """Put `event` where it is wanted."""
        wanted = False
        for wants, queue in self._queues:
            if wants(event):
                queue.put(event)
                wanted = True
        if not wanted and isinstance(event, Kept):
            self._unheard.append(event)

    @property
    def have_room(self) -> bool:
        """Whether all instant messages so far have come to a queue that is not too full."""
        return not self._unheard and all(queue.has_room for _, queue in self._queues)

    def end(self, problem: Closed) -> None:
        """No event will come any more."""
        self._closed = problem
        for _, queue in self._queues:
            queue.end(problem)
