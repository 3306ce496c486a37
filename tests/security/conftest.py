"""A node on a real socket, whom each test attacks, and a neighbour who must notice nothing."""

import json
import random
import re
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket

from access.edge.opening.listening import listen
from access.edge.server import Server
from access.node import AccessNode
from access.settings import Settings
from access.thinned import encode_skipped
from proto.identity import NodeIdentity
from proto.token_settings import TokenSettings
from tests.access.cluster import NOW_MS, SECRET, FakeMesh, Store, token
from tests.access.edge.streams import read_all

LOBBY = [{"room": "lobby"}]
REQUEST_LINE = "GET /v1 HTTP/1.1"
HEADERS = {
    "Host": "node.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "relaymesh.v1.json",
}


def request(line: str = REQUEST_LINE, *more: str, **changes: str | None) -> bytes:
    """A proper request, with headers changed (`None` takes one out) and lines added."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in (HEADERS | named).items() if value is not None]
    return "\r\n".join([line, *lines, *more, "", ""]).encode("latin-1")


class House:
    """The node, and ways to reach it."""

    def __init__(self, node: AccessNode, server: Server, mesh: FakeMesh, port: int) -> None:
        self.node = node
        self.server = server
        self.mesh = mesh
        self.port = port

    async def raw(self) -> trio.SocketStream:
        """A TCP connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def answer_to(self, data: bytes) -> bytes:
        """All that the node answers to bytes, to the end of the connection."""
        async with await self.raw() as stream:
            await stream.send_all(data)
            return await read_all(stream)

    async def status_of(self, data: bytes) -> int:
        """The status of the answer, which must be the only one."""
        answer = await self.answer_to(data)
        assert len(re.findall(rb"HTTP/1\.1 \d{3} ", answer)) == 1
        return int(answer.split(b" ", 2)[1])

    async def upgraded(self, *more: str) -> trio.SocketStream:
        """A TCP connection with the handshake of a WebSocket done."""
        stream = await self.raw()
        await stream.send_all(request(REQUEST_LINE, *more))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await stream.receive_some(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        return stream

    async def close_code(self, *data: bytes, extension: str = "") -> int:
        """The code that a connection is closed with which sends `data`."""
        more = [f"Sec-WebSocket-Extensions: {extension}"] if extension else []
        async with await self.upgraded(*more) as stream:
            for each in data:
                try:
                    await stream.send_all(each)
                except trio.BrokenResourceError:
                    break
            heard = await read_all(stream)
        at = heard.rindex(b"\x88")
        (code,) = struct.unpack("!H", heard[at + 2 : at + 4])
        return int(code)

    def visitor(self) -> Any:
        """A client that keeps to the rules of WebSocket."""
        return open_websocket(
            "127.0.0.1", self.port, "/v1", use_ssl=False, subprotocols=["relaymesh.v1.json"]
        )

    async def hello_with(self, shown: str) -> tuple[str, int]:
        """The code of the error, and of the close, that a token is answered with."""
        async with self.visitor() as visitor:
            error = (await ask(visitor, "hello", token=shown))["error"]
            assert shown not in json.dumps(error)
            return error["code"], await closed(visitor)


async def ask(visitor: WebSocketConnection, op: str, **fields: Any) -> dict[str, Any]:
    """Send a request; returns its answer."""
    return await say(visitor, json.dumps({"op": op, "id": 1, **fields}))


async def say(visitor: WebSocketConnection, text: str) -> dict[str, Any]:
    """Send a text; returns the next answer."""
    await visitor.send_message(text)
    with trio.fail_after(5):
        while True:
            for frame in json.loads(await visitor.get_message()):
                if "reply" in frame:
                    return dict(frame)


async def closed(visitor: WebSocketConnection) -> int:
    """The code that the node closes with."""
    with trio.fail_after(5), pytest.raises(ConnectionClosed) as caught:
        while True:
            await visitor.get_message()
    return int(caught.value.reason.code)


async def is_well(neighbour: WebSocketConnection, house: House) -> None:
    """See that the neighbour is served, and has noticed nothing."""
    seq = house.mesh.say("lobby", fields={"text": "all is well"})
    with trio.fail_after(5):
        (frame,) = json.loads(await neighbour.get_message())
    assert (frame["push"], frame["seq"]) == ("chat", seq)
    assert "ok" in await ask(neighbour, "ping")
    assert house.server.counters.handler_errors == 0
    assert house.node.counters.internal_errors == 0


@asynccontextmanager
async def open_house(edge: dict[str, Any], **settings: Any) -> AsyncIterator[House]:
    """A node with a neighbour, who is looked after at the end; `edge` changes its limits."""
    tokens = settings.pop("tokens", None) or TokenSettings(secret=SECRET)
    whole = Settings(tokens=tokens, **settings)
    limits = replace(whole.edge.limits(), **{"write_path": "loop", "close_timeout_s": 0.05, **edge})
    store, meshes = Store(), list[FakeMesh]()

    def mesh_of(receive: Any) -> FakeMesh:
        meshes.append(FakeMesh(receive))
        return meshes[0]

    async with trio.open_nursery() as nursery:
        node = AccessNode(
            whole,
            NodeIdentity(node="access-1", region="local", incarnation="i1"),
            nursery,
            edge_of=lambda handler: Server(limits, handler, encode_skipped),
            mesh_of=mesh_of,
            routes=store,
            registry=store,
            one_use=store,
            revocations=store,
            now_ms=lambda: NOW_MS,
            random=random.random,
            random_bits=random.getrandbits,
        )
        assert isinstance(node.edge, Server)
        listener = listen("127.0.0.1", 0, limits)
        house = House(node, node.edge, meshes[0], listener.getsockname()[1])
        await nursery.start(node.edge.serve, [listener])
        nursery.start_soon(node.run)
        async with AsyncExitStack() as stack:
            neighbour = await stack.enter_async_context(house.visitor())
            assert "ok" in await ask(neighbour, "hello", token=token("bob"), join=LOBBY)
            yield house
            await is_well(neighbour, house)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A node with the default settings."""
    async with open_house({}) as house:
        yield house
