"""What a client's frame costs the node: a `like`, and a `chat` with its way to logic and back."""

from typing import NamedTuple

from bench import wire
from bench.edge.topology import ROOM, EdgeTarget
from bench.load.client import LoadClient

LIKE = wire.text(b'{"op":"like","id":1,"room":"%b","count":1}' % ROOM.encode())
LIKED = b'"counted":1}'
CHAT = wire.text(b'{"op":"chat","id":2,"room":"%b","text":"hello to everybody"}' % ROOM.encode())
SAID = b'{"reply":2,"ok":'
LIKES_PER_S = 30_000
"""What a frame costs matters when there are many: a node that is mostly idle spends more on waking
up than on reading."""
CHATS_PER_S = 1_000
QUIET_S = 0.5
LIMIT_S = 10.0
ENDLESS = 1 << 62


class Inbound(NamedTuple):
    """CPU of the node for each frame, answer included, and how many of them were refused."""

    us: float
    refused: int


def likes(edge: EdgeTarget, client: LoadClient, seconds: float) -> Inbound:
    """Let clients like the room."""
    return _say(edge, client, Frame(LIKE, LIKED, LIKES_PER_S), seconds)


def chats(edge: EdgeTarget, client: LoadClient, seconds: float) -> Inbound:
    """Let clients chat: each is handed to logic and answered."""
    return _say(edge, client, Frame(CHAT, SAID, CHATS_PER_S), seconds)


class Frame(NamedTuple):
    """A client's frame, what is in the answer to it, and how many a second are sent."""

    text: bytes
    answer: bytes
    per_s: float


def _say(edge: EdgeTarget, client: LoadClient, frame: Frame, seconds: float) -> Inbound:
    client.count(frame.answer)
    client.reset()
    before_s = edge.cpu_s()
    sent = client.say(frame.text, frame.per_s, round(frame.per_s * seconds))
    client.wait(ENDLESS, QUIET_S, LIMIT_S)
    used_s, answered = edge.cpu_s() - before_s, client.report().matches
    client.count(b"")
    return Inbound(used_s / sent * 1e6, sent - answered)
