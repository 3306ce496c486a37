"""A trio client for relaymesh, its live rooms and instant messages: resumes, repairs gaps, repeats
until answered.

async with connect(gateway("http://localhost:8700"), token) as client:
    events = client.events("lobby")
    await client.join("lobby", history=20)
    await client.chat("lobby", "hello")
    async for event in events:
        ...
"""

from relaymesh_client.backoff import Endpoint
from relaymesh_client.client import Client, Published, connect
from relaymesh_client.errors import Closed, OutboxFull, Refused, RelaymeshError, Unanswered
from relaymesh_client.event_queue import EventQueue
from relaymesh_client.events import (
    Connected,
    Direct,
    Disconnected,
    Dropped,
    Event,
    Joined,
    Left,
    Lost,
    Moved,
    Position,
    Priority,
    Push,
    Removed,
    Reset,
    Skipped,
)
from relaymesh_client.gateway import EndpointSource, fixed, gateway
from relaymesh_client.im.events import (
    Acknowledged,
    DevicePresence,
    Draft,
    ImEvent,
    ImPosition,
    ImUnavailable,
    MailboxOpened,
    MailboxReset,
    Message,
    NotSent,
    Presence,
    Receipt,
    Sent,
    Typing,
)
from relaymesh_client.im.messenger import Messenger
from relaymesh_client.login import Login
from relaymesh_client.websocket import TokenSource

__all__ = [
    "Acknowledged",
    "Client",
    "Closed",
    "Connected",
    "DevicePresence",
    "Direct",
    "Disconnected",
    "Draft",
    "Dropped",
    "Endpoint",
    "EndpointSource",
    "Event",
    "EventQueue",
    "ImEvent",
    "ImPosition",
    "ImUnavailable",
    "Joined",
    "Left",
    "Login",
    "Lost",
    "MailboxOpened",
    "MailboxReset",
    "Message",
    "Messenger",
    "Moved",
    "NotSent",
    "OutboxFull",
    "Position",
    "Presence",
    "Priority",
    "Published",
    "Push",
    "Receipt",
    "Refused",
    "RelaymeshError",
    "Removed",
    "Reset",
    "Sent",
    "Skipped",
    "TokenSource",
    "Typing",
    "Unanswered",
    "connect",
    "fixed",
    "gateway",
]
