"""A trio client for relaymesh live rooms: resumes, repairs gaps, repeats until answered.

async with connect(gateway("http://localhost:8700"), token) as client:
    events = client.events("lobby")
    await client.join("lobby", history=20)
    await client.chat("lobby", "hello")
    async for event in events:
        ...
"""

from relaymesh_client.backoff import Endpoint
from relaymesh_client.client import Client, Published, connect
from relaymesh_client.driver import TokenSource
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
    Position,
    Priority,
    Push,
    Reset,
    Skipped,
)
from relaymesh_client.gateway import EndpointSource, fixed, gateway

__all__ = [
    "Client",
    "Closed",
    "Connected",
    "Direct",
    "Disconnected",
    "Dropped",
    "Endpoint",
    "EndpointSource",
    "Event",
    "EventQueue",
    "Joined",
    "Left",
    "Lost",
    "OutboxFull",
    "Position",
    "Priority",
    "Published",
    "Push",
    "Refused",
    "RelaymeshError",
    "Reset",
    "Skipped",
    "TokenSource",
    "Unanswered",
    "connect",
    "fixed",
    "gateway",
]
