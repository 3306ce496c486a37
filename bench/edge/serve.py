"""The parts of the measurement, kept running for somebody else's load client."""

import time
from typing import Any

import click
import msgspec

from bench.edge.topology import ROOM, TOKEN_LIFE_S, EdgeTarget, edge_target
from bench.load.payload import FORMAT
from bench.room import hello
from proto.client_requests import SUBPROTOCOL
from proto.tokens import Claims, mint

LOOK_EVERY_S = 1.0


def serve(per_s: float) -> None:
    """Feed the room at `per_s` messages a second until Ctrl-C; raises `ClickException` when one of
    the parts ends."""
    with edge_target(push_chats=True) as edge:
        click.echo(msgspec.json.encode(about(edge, per_s)).decode())
        edge.feed(per_s)
        while True:
            time.sleep(LOOK_EVERY_S)
            edge.check()


def about(edge: EdgeTarget, per_s: float) -> dict[str, Any]:
    """Return what a load client has to know: where, who it may be, what to say and what comes."""
    expires = int(time.time()) + TOKEN_LIFE_S
    token = mint(Claims(sub="visitor", exp=expires), edge.token_secret)
    return {
        "url": edge.url,
        "room": ROOM,
        "token_secret": edge.token_secret,
        "token": token,
        "hello": hello(token, ROOM).decode(),
        "subprotocol": SUBPROTOCOL,
        "payload": f'a push {{"push":"chat","seq":…,"text":"…"}} whose text is {FORMAT}',
        "rate": per_s,
    }
