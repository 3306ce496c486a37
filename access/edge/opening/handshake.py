"""The opening handshake (RFC 6455, section 4.2): a request's bytes in, the answer's bytes out."""

import base64
import binascii
import hashlib
import http
from dataclasses import dataclass

import httptools

from access.edge.opening.deflate_offers import Agreed, agree
from access.edge.settings import EdgeSettings

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Headers = list[tuple[bytes, bytes]]
"""Names in lower case, and values."""


class RefusedError(Exception):
    """A request that is answered with plain HTTP; `reason` is the label of its metric."""

    def __init__(self, status: int, reason: str, detail: str, *headers: tuple[str, str]) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.answer = plain_answer(status, detail, headers)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer that opens the connection, and what the client sent right behind its request."""

    answer: bytes
    trailing: bytes
    deflate_bits: int = 0
    """The window, as a power of two, of what we may compress for this client; 0: nothing."""
    forwarded: tuple[str, ...] = ()
    """The `X-Forwarded-For` headers."""


def accept(data: bytes, settings: EdgeSettings) -> Accepted | None:
    """Judge the request's bytes so far; `None` asks for more.

    Raises `RefusedError`, which holds the HTTP answer, for anything but a proper upgrade.
    """
    request = Request(data)
    _check_size(request, settings)
    if not request.complete:
        return None
    _check_target(request, settings)
    _check_body(request.headers)
    key = _check_upgrade(request.headers)
    _check_origin(request.headers, settings)
    _check_subprotocol(request.headers, settings)
    agreed = _deflate(request.headers, settings)
    answer = _switching(key, settings.subprotocol, agreed.answer if agreed else None)
    return Accepted(
        answer,
        data[request.head_bytes :],
        agreed.window_bits if agreed else 0,
        _lines(request.headers, b"x-forwarded-for"),
    )


class Request:
    """The head of an HTTP request as llhttp reads it; dropped when the answer is known.

    Raises `RefusedError` for what is not HTTP/1.1.
    """

    def __init__(self, data: bytes) -> None:
        self.target = b""
        self.headers: Headers = []
        self.complete = False
        self.head_bytes = len(data)
        """The bytes of the head; all there are while it is not complete."""
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            (self.head_bytes,) = upgrade.args
        except httptools.HttpParserError as error:
            if not self.complete:
                raise RefusedError(400, "malformed", "not a valid HTTP/1.1 request") from error
        self.method: bytes = parser.get_method() if self.complete else b""
        self.version: str = parser.get_http_version()

    def on_url(self, part: bytes) -> None:
        """Take a part of the target."""
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Learn that the head is whole: whatever comes behind it is not judged as HTTP."""
        self.complete = True


def _check_size(request: Request, settings: EdgeSettings) -> None:
    if len(request.target) > settings.max_url_bytes:
        raise RefusedError(414, "too_large", f"a URL has at most {settings.max_url_bytes} bytes")
    if len(request.headers) > settings.max_headers:
        raise RefusedError(431, "too_large", f"at most {settings.max_headers} headers are taken")
    if any(len(name) + len(value) > settings.max_header_bytes for name, value in request.headers):
        detail = f"a header has at most {settings.max_header_bytes} bytes"
        raise RefusedError(431, "too_large", detail)
    if request.head_bytes > settings.max_request_bytes:
        detail = f"a request has at most {settings.max_request_bytes} bytes"
        raise RefusedError(431, "too_large", detail)


def _check_target(request: Request, settings: EdgeSettings) -> None:
    path, question_mark, _ = request.target.partition(b"?")
    if path.decode("latin-1") != settings.path:
        raise RefusedError(404, "path", f"connect to {settings.path}")
    if question_mark:
        # Where a URL goes it is logged: by proxies, in histories, in the Referer of a page.
        raise RefusedError(400, "query", "the URL takes no query; the token belongs into hello")
    if request.method != b"GET":
        raise RefusedError(405, "method", "a WebSocket starts with GET", ("Allow", "GET"))
    if request.version != "1.1":
        raise RefusedError(400, "malformed", "a WebSocket starts with HTTP/1.1")
    if [name for name, _ in request.headers].count(b"host") != 1:
        raise RefusedError(400, "malformed", "an HTTP/1.1 request names its Host, once")


def _check_body(headers: Headers) -> None:
    """Refuse what a proxy before us might take for a body, and we for frames."""
    if any(name in (b"content-length", b"transfer-encoding") for name, _ in headers):
        raise RefusedError(400, "malformed", "the request of a WebSocket has no body")


def _lines(headers: Headers, name: bytes) -> tuple[str, ...]:
    return tuple(value.decode("latin-1") for key, value in headers if key == name)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    """Return the comma-separated values of all headers called `name` (lower case)."""
    return [
        value.strip() for key, line in headers if key == name for value in line.split(b",") if value
    ]


def _tokens(headers: Headers, name: bytes) -> list[bytes]:
    return [value.lower() for value in _values(headers, name)]


def _check_upgrade(headers: Headers) -> bytes:
    """Return the key of a request that asks for WebSocket version 13."""
    upgrades = _tokens(headers, b"upgrade") == [b"websocket"]
    if not upgrades or b"upgrade" not in _tokens(headers, b"connection"):
        needed = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
        raise RefusedError(426, "not_websocket", "this address speaks WebSocket only", *needed)
    if _values(headers, b"sec-websocket-version") != [b"13"]:
        known = ("Sec-WebSocket-Version", "13")
        raise RefusedError(426, "version", "only Sec-WebSocket-Version 13 is spoken", known)
    keys = _values(headers, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RefusedError(400, "key", "Sec-WebSocket-Key must be 16 bytes in base64, once")
    return keys[0]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False


def _check_origin(headers: Headers, settings: EdgeSettings) -> None:
    if "*" in settings.allowed_origins:
        return
    origins = [value.decode("latin-1") for key, value in headers if key == b"origin"]
    if any(origin not in settings.allowed_origins for origin in origins):
        raise RefusedError(403, "origin", "this Origin is not allowed")


def _check_subprotocol(headers: Headers, settings: EdgeSettings) -> None:
    if settings.subprotocol is None:
        return
    if settings.subprotocol.encode() not in _values(headers, b"sec-websocket-protocol"):
        detail = f"offer the subprotocol {settings.subprotocol}"
        raise RefusedError(400, "subprotocol", detail)


def _deflate(headers: Headers, settings: EdgeSettings) -> Agreed | None:
    offers = _values(headers, b"sec-websocket-extensions") if settings.compression else []
    return agree(offers)


def _switching(key: bytes, subprotocol: str | None, extension: bytes | None) -> bytes:
    accept_key = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
    lines = [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade",
        b"Sec-WebSocket-Accept: %b" % accept_key,
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: %b" % subprotocol.encode())
    if extension is not None:
        lines.append(b"Sec-WebSocket-Extensions: %b" % extension)
    return b"\r\n".join([*lines, b"", b""])


def plain_answer(status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a whole HTTP response with `detail` as its text; the connection ends behind it."""
    body = f"{detail}\n"
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body.encode())}"]
    if not any(name == "Connection" for name, _ in headers):
        lines.append("Connection: close")
    return ("\r\n".join([*lines, "", body])).encode()
