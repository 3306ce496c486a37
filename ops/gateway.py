"""The gateway of a running cluster, as commands ask it: over HTTP, with a token of role server."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ops.cluster.plan import LOOPBACK
from ops.commands.token import secret
from ops.errors import Failure
from proto.tokens import Claims, mint

TIMEOUT_S = 5.0
TOKEN_S = 60


class NoGatewayError(Failure):
    """Nothing answers where the gateway should be."""


class Gateway:
    """The gateway at a local cluster's port base; the secret is found as `relaymesh token` does."""

    def __init__(self, port_base: int, state_dir: Path, secret_file: Path | None = None) -> None:
        self._url = f"http://{LOOPBACK}:{port_base}"
        self._secret = secret(secret_file, state_dir)

    def get(self, path: str) -> Any:
        """Return the JSON at `path`; raises `NoGatewayError`, or `Failure` with what it says."""
        return self._ask("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """As `get`, with POST and the JSON of `body`, or none."""
        return self._ask("POST", path, body)

    def put(self, path: str) -> Any:
        """As `get`, with PUT and no body."""
        return self._ask("PUT", path)

    def delete(self, path: str) -> Any:
        """As `get`, with DELETE."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        claims = Claims(sub="operator", exp=int(time.time()) + TOKEN_S, role="server")
        headers = {"Authorization": f"Bearer {mint(claims, self._secret)}"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise Failure(_reason(error)) from None
        except (OSError, ValueError) as error:
            raise NoGatewayError(
                f"no cluster answers at {self._url} ({getattr(error, 'reason', error)}); "
                "start one with `relaymesh up`, or give its --port-base"
            ) from None


def _reason(error: urllib.error.HTTPError) -> str:
    """Return what a refusal says: our own errors are problems (RFC 9457)."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answers {error.code}"
