"""Which priority a message has: derived here, never claimed by a client."""

from proto.client_requests import Gift, Publish, Speech
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority

HOSTS = frozenset({"host", "server"})
"""Roles that may speak as a host of the room."""


def priority_of(message: Publish, role: str, urgent_gift_value: int) -> Priority:
    """Return the priority of `message` from a sender with `role` in its room.

    Host speech is urgent, and so are gifts worth `urgent_gift_value` in all; the rest is normal.
    Raises `RequestError` `forbidden` for a speech by anybody else.
    """
    if isinstance(message, Speech):
        if role not in HOSTS:
            raise RequestError(
                ErrorCode.FORBIDDEN, "op: only a host of the room may send a speech", field="op"
            )
        return Priority.URGENT
    if isinstance(message, Gift) and message.value * message.count >= urgent_gift_value:
        return Priority.URGENT
    return Priority.NORMAL
