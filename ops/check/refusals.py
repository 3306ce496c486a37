"""Checks of bad input: each gets its documented error or close code, and hurts nobody."""

import base64
import json
from typing import Any

import trio_websocket as tws

from ops.check.raw import raw
from ops.check.report import CheckFailedError, require
from ops.check.stage import Stage

BAD_FRAMES: tuple[tuple[str, str, str | None], ...] = (
    ("this is not JSON", "bad_json", None),
    ("[1, 2]", "bad_json", None),
    ('{"op": "dance", "id": 7}', "unknown_op", "op"),
    ('{"op": "leave", "id": 7}', "bad_frame", "room"),
    ('{"op": "ping", "id": 7, "extra": 1}', "bad_frame", "extra"),
    ('{"op": "chat", "id": 7, "room": "ROOM", "text": 5}', "bad_frame", "text"),
    ('{"op": "chat", "id": 7, "room": "ROOM", "text": ""}', "bad_frame", "text"),
    ('{"op": "like", "id": 7, "room": "ROOM", "count": -1}', "bad_frame", "count"),
    ('{"op": "like", "id": 7, "room": "ROOM", "count": 1000000000000}', "bad_frame", "count"),
    ('{"op": "chat", "id": 7, "room": "not/a room", "text": "x"}', "bad_frame", "room"),
    ('{"op": "hello", "id": 7, "token": "x"}', "hello_twice", None),
)
"""A message, the error it gets, and the field that the error names."""


async def bad_tokens_are_refused(stage: Stage) -> str:
    """Forged and unsigned tokens close with 4001, expired ones with 4002."""
    good = stage.viewers[0].token
    head, payload, signature = good.split(".")
    forged = f"{head}.{payload}.{'A' * len(signature)}"
    bad = {"forged": (forged, 4001), "unsigned": (f"{_unsigned()}.{payload}.", 4001)}
    bad["no token at all"] = ("nonsense", 4001)
    if stage.tokens.can_mint:
        bad["expired"] = (stage.tokens.expired(), 4002)
    for kind, (token, code) in bad.items():
        await _require_refused(stage, kind, token, code)
    return ", ".join(f"{kind}: {code}" for kind, (_, code) in bad.items())


async def bad_frames_are_named(stage: Stage) -> str:
    """A bad frame is answered with its error and field, and the connection goes on."""
    async with raw(stage.viewers[0].url) as connection:
        token = await stage.tokens.viewer("clumsy", stage.room)
        await connection.reply(
            {"op": "hello", "id": 1, "token": token, "join": [{"room": stage.room}]}
        )
        for message, code, field in BAD_FRAMES:
            await connection.send(message.replace("ROOM", stage.room))
            answer = await connection.answer(7 if '"id": 7' in message else None)
            error: dict[str, Any] = answer.get("error", {})
            require(error.get("code") == code, f"{message} was answered {answer}")
            require(field is None or error.get("field") == field, f"{message}: named {error}")
        require("ok" in await connection.reply({"op": "ping", "id": 8}), "no ping afterwards")
    return f"{len(BAD_FRAMES)} kinds, and the connection lives"


async def first_frame_must_be_hello(stage: Stage) -> str:
    """Whatever comes before `hello` is refused."""
    async with raw(stage.viewers[0].url) as connection:
        answer = await connection.reply({"op": "ping", "id": 1})
    code = answer.get("error", {}).get("code")
    require(code == "hello_first", f"was answered {answer}")
    return "hello_first"


async def subprotocol_is_required(stage: Stage) -> str:
    """A handshake that does not offer the subprotocol is answered 400."""
    for each in stage.viewers:
        try:
            async with raw(each.url, subprotocol=""):
                raise CheckFailedError(f"{each.node} let a client in without the subprotocol")
        except tws.ConnectionRejected as error:
            require(error.status_code == 400, f"{each.node} answered {error.status_code}")
    return "400 from every node"


async def _require_refused(stage: Stage, kind: str, token: str, code: int) -> None:
    expected = "token_expired" if code == 4002 else "token_invalid"
    for each in stage.viewers:
        async with raw(each.url) as connection:
            answer = await connection.reply({"op": "hello", "id": 1, "token": token})
            got = answer.get("error", {}).get("code")
            require(got == expected, f"{each.node} answered a {kind} token with {answer}")
            closed = await connection.close_code()
            require(closed == code, f"{each.node} closed with {closed} after a {kind} token")


def _unsigned() -> str:
    head = json.dumps({"alg": "none", "typ": "JWT"}).encode()
    return base64.urlsafe_b64encode(head).decode().rstrip("=")
