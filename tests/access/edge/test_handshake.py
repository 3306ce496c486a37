"""The opening handshake: what is accepted, and which answer each bad request gets."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request

from access.edge.opening.handshake import Accepted, RefusedError, accept
from access.edge.settings import EdgeSettings

SETTINGS = EdgeSettings(allowed_origins=("https://live.example",))
KEY = base64.b64encode(bytes(16)).decode()


def request(line: str = "GET /v1 HTTP/1.1", **changes: str | None) -> bytes:
    """A proper request with some headers changed (`None` takes one out)."""
    headers: dict[str, str | None] = {
        "host": "node.example",
        "upgrade": "websocket",
        "connection": "keep-alive, Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY,
        "sec-websocket-protocol": "chat, relaymesh.v1.json",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([line, *lines, "", ""]).encode()


def refusal(data: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        accept(data, SETTINGS)
    return caught.value


def test_a_client_library_accepts_the_answer() -> None:
    client = WSConnection(ConnectionType.CLIENT)
    data = client.send(Request("node.example", "/v1", subprotocols=["relaymesh.v1.json"]))
    accepted = accept(data, SETTINGS)
    assert accepted is not None
    client.receive_data(accepted.answer)
    event = next(client.events())
    assert isinstance(event, AcceptConnection)
    assert event.subprotocol == "relaymesh.v1.json"


def test_what_follows_the_request_is_kept() -> None:
    accepted = accept(request() + b"\x81\x80abcd", SETTINGS)
    assert accepted is not None
    assert accepted.trailing == b"\x81\x80abcd"


@pytest.mark.parametrize("size", [0, 1, 30, len(request()) - 1])
def test_an_incomplete_request_is_waited_for(size: int) -> None:
    assert accept(request()[:size], SETTINGS) is None


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (request("POST /v1 HTTP/1.1"), 405, "method"),
        (request("GET /v2 HTTP/1.1"), 404, "path"),
        (request("GET /v1 HTTP/1.0"), 400, "malformed"),
        (request(host=None), 400, "malformed"),
        (request(upgrade=None), 426, "not_websocket"),
        (request(upgrade="h2c"), 426, "not_websocket"),
        (request(connection="close"), 426, "not_websocket"),
        (request(sec_websocket_version="8"), 426, "version"),
        (request(sec_websocket_version=None), 426, "version"),
        (request(sec_websocket_key=None), 400, "key"),
        (request(sec_websocket_key="short"), 400, "key"),
        (request(sec_websocket_key="!" * 24), 400, "key"),
        (request(sec_websocket_key=base64.b64encode(bytes(15)).decode()), 400, "key"),
        (request(sec_websocket_protocol=None), 400, "subprotocol"),
        (request(sec_websocket_protocol="relaymesh.v2.json"), 400, "subprotocol"),
        (request(origin="https://evil.example"), 403, "origin"),
        (request(origin="null"), 403, "origin"),
        (request(cookie="x" * 9000), 431, "too_large"),
        (request(**{f"x_{n}": "y" for n in range(100)}), 431, "too_large"),
        (b"GET /v1 HTTP/1.1\r\n" + b"a: b\r\n" * 2000, 431, "too_large"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400, "malformed"),
        (b"GET\r\n\r\n", 400, "malformed"),
        (request(upgrade="web\x00socket"), 400, "malformed"),
    ],
)
def test_a_bad_request_gets_its_answer(data: bytes, status: int, reason: str) -> None:
    refused = refusal(data)
    assert (refused.status, refused.reason) == (status, reason)
    head, _, body = refused.answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: %d" % len(body) in head


def test_an_old_version_is_told_the_known_one() -> None:
    assert b"Sec-WebSocket-Version: 13\r\n" in refusal(request(sec_websocket_version="8")).answer


@pytest.mark.parametrize("origin", ["https://live.example", None])
def test_a_listed_origin_and_none_at_all_are_allowed(origin: str | None) -> None:
    assert isinstance(accept(request(origin=origin), SETTINGS), Accepted)


def test_a_star_allows_every_origin() -> None:
    assert accept(request(origin="https://any.example"), EdgeSettings()) is not None


@pytest.mark.parametrize("query", ["?", "?token=eyJ", "?x=1"])
def test_a_url_has_no_query_so_that_no_token_gets_into_logs(query: str) -> None:
    error = refusal(request(f"GET /v1{query} HTTP/1.1"))
    assert (error.status, error.reason) == (400, "query")
    assert b"eyJ" not in error.answer


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_damaged_requests_raise_nothing_else(rng: random.Random, changes: int) -> None:
    data = bytearray(request())
    for _ in range(changes):
        data[rng.randrange(len(data))] = rng.randrange(256)
    try:
        accept(bytes(data), SETTINGS)
    except RefusedError as error:
        assert 400 <= error.status < 500


def test_compression_is_agreed_to_where_it_is_offered() -> None:
    offer = "x-unknown, permessage-deflate; client_max_window_bits; server_max_window_bits=12"
    accepted = accept(request(sec_websocket_extensions=offer), SETTINGS)
    assert accepted is not None
    assert accepted.deflate_bits == 12
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no" in accepted.answer


@pytest.mark.parametrize("offer", [None, "x-unknown", "permessage-deflate; unknown"])
def test_without_an_offer_that_is_known_nothing_is_compressed(offer: str | None) -> None:
    accepted = accept(request(sec_websocket_extensions=offer), SETTINGS)
    assert accepted is not None
    assert accepted.deflate_bits == 0
    assert b"Extensions" not in accepted.answer


def test_compression_can_be_switched_off() -> None:
    settings = EdgeSettings(compression=False)
    accepted = accept(request(sec_websocket_extensions="permessage-deflate"), settings)
    assert accepted is not None
    assert accepted.deflate_bits == 0
    assert b"Extensions" not in accepted.answer


def test_an_edge_without_a_subprotocol_asks_for_none_and_names_none() -> None:
    settings = EdgeSettings(subprotocol=None)
    accepted = accept(request(sec_websocket_protocol=None), settings)
    assert accepted is not None
    assert b"Protocol:" not in accepted.answer
