"""A command to move to another node, as it came. No I/O."""

from typing import NamedTuple

from relaymesh_client.backoff import Endpoint
from relaymesh_client.events import Frame

LONGEST_DELAY_S = 600.0
"""What a delay counts for at most: the server closes who waits longer."""


class Order(NamedTuple):
    """Go to one of `endpoints`, the first that answers, at `at`, and show `resume` there.

    `room` is the reason; "" where the present node ends.
    """

    endpoints: tuple[Endpoint, ...]
    resume: str
    at: float
    room: str


def order_of(frame: Frame, now: float) -> Order | None:
    """Return what a `move` push asks for; `None` where it can't be understood."""
    endpoints, resume, room = frame.get("endpoints"), frame.get("resume"), frame.get("room", "")
    delay_ms = frame.get("delay_ms", 0)
    if not (isinstance(endpoints, list) and isinstance(resume, str) and isinstance(room, str)):
        return None
    found = [each for each in map(_endpoint, endpoints) if each is not None]
    if not found or not isinstance(delay_ms, int | float) or not delay_ms >= 0:
        return None
    delay_s = min(delay_ms, LONGEST_DELAY_S * 1000) / 1000
    return Order(tuple(found), resume, now + delay_s, room)


def _endpoint(value: object) -> Endpoint | None:
    if not isinstance(value, dict) or not isinstance(value.get("url"), str):
        return None
    return Endpoint(value["url"], str(value.get("node", "")))
