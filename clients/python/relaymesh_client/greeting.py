"""What is said first on a connection: `hello`, as somebody who was moved or as anybody. No I/O."""

from relaymesh_client.errors import Refused, refused
from relaymesh_client.events import Connected, Frame, Moved
from relaymesh_client.moves import Order
from relaymesh_client.outbox import encode


class Greeting:
    """The `hello` of one connection after the other."""

    def __init__(self, name: str) -> None:
        self.number = 0
        """The request that the last one was."""
        self.error: Refused | None = None
        """Why it was not accepted on the last connection."""
        self._name = name
        self._token = ""
        self._followed: Order | None = None
        self._resume = ""
        self._left_at = 0.0

    @property
    def first_room(self) -> str:
        """The room that must be joined with it, "" for none."""
        return self._followed.room if self._followed is not None else ""

    def begin(self, token: str, followed: Order | None) -> None:
        """A connection is open; `followed` is the order to move that led to it."""
        self.error, self._token, self._followed = None, token, followed
        self._resume = followed.resume if followed is not None else ""

    def message(self, number: int, parts: Frame) -> str:
        """Return the `hello` with request `number` and the fields `parts`."""
        self.number = number
        frame = {"op": "hello", "id": number, "token": self._token, "client": self._name, **parts}
        return encode(frame | ({"resume": self._resume} if self._resume else {}))

    def refused(self, error: Frame) -> bool:
        """Take a refusal; says whether to say hello again: as anybody, where the token of the move
        was of no use. Else the close that follows decides what becomes of the client."""
        if self._resume and error.get("field") == "resume":
            self._resume = ""
            return True
        self.error = refused(error)
        return False

    def ended(self, now: float) -> None:
        """The connection is gone."""
        self._left_at = now

    def moved(self, before: Connected | None, after: Connected, now: float) -> list[Moved]:
        """Return what to tell of the move that led from session `before` to `after`, if one did."""
        if self._followed is None or before is None:
            return []
        return [Moved(self._followed.room, before.node, after.node, now - self._left_at)]
