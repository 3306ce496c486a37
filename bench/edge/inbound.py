"""What a client's frame costs the node: a `like`, and a `chat` with its way to logic and back."""

import click

from bench import wire
from bench.edge.topology import ROOM, EdgeTarget
from bench.load.client import LoadClient

LIKE = wire.text(b'{"op":"like","id":1,"room":"%b","count":1}' % ROOM.encode())
LIKED = b'"counted":1}'
CHAT = wire.text(b'{"op":"chat","id":2,"room":"%b","text":"hello to everybody"}' % ROOM.encode())
SAID = b'{"reply":2,"ok":'
LIKES_PER_S = 10_000
CHATS_PER_S = 1_000
QUIET_S = 0.5
LIMIT_S = 10.0
ENDLESS = 1 << 62


def like_us(edge: EdgeTarget, client: LoadClient, seconds: float) -> float:
    """Return the node's CPU µs for each `like`, its answer included."""
    return _frame_us(edge, client, LIKE, LIKED, LIKES_PER_S, seconds)


def chat_us(edge: EdgeTarget, client: LoadClient, seconds: float) -> float:
    """Return the node's CPU µs for each `chat` that is handed to logic and answered."""
    return _frame_us(edge, client, CHAT, SAID, CHATS_PER_S, seconds)


def _frame_us(
    edge: EdgeTarget,
    client: LoadClient,
    frame: bytes,
    answer: bytes,
    per_s: float,
    seconds: float,
) -> float:
    client.count(answer)
    client.reset()
    before_s = edge.cpu_s()
    sent = client.say(frame, per_s, round(per_s * seconds))
    client.wait(ENDLESS, QUIET_S, LIMIT_S)
    used_s, answered = edge.cpu_s() - before_s, client.report().matches
    client.count(b"")
    if answered != sent:
        raise click.ClickException(f"{answered} of {sent} frames were answered with success")
    return used_s / sent * 1e6
