"""Asking gateways and nodes over HTTP, each call a blocking one for a thread."""

import json
import urllib.error
import urllib.request
from typing import Any

from relaymesh_client.errors import refused_by_http

TIMEOUT_S = 10


def text(url: str) -> str:
    """Return what a GET of `url` answers."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        return str(answer.read().decode())


def ask(url: str, body: object, token: str) -> Any:
    """Return what a POST of `body`, or without one a GET, answers; raises `Refused` with the
    gateway's error."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise refused_by_http(json.load(error)) from None
