"""Which priority a message has: derived here, never claimed by a client."""

from proto.client_requests import Gift, Publish, Speech
from proto.priorities import Priority


def priority_of(message: Publish, urgent_gift_value: int) -> Priority:
    """Return the priority of `message`: host speech is urgent, and so are gifts worth
    `urgent_gift_value` in all; the rest is normal."""
    if isinstance(message, Speech):
        return Priority.URGENT
    if isinstance(message, Gift) and message.value * message.count >= urgent_gift_value:
        return Priority.URGENT
    return Priority.NORMAL
