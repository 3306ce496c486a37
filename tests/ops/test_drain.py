"""`relaymesh drain` against a gateway that answers as a test says."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from ops.command import relaymesh
from ops.commands.drain import AWAY_S, Drained, drain, line
from ops.errors import Failure
from ops.gateway import NoGatewayError

SECRET = "s" * 32


class FakeGateway:
    """Takes the order; `lives` are what `relay-1` is at each later look, `None` for no answer."""

    def __init__(self, *lives: str | None) -> None:
        self._lives = list(lives)
        self.now_s = 0.0
        self.posted: list[str] = []

    def post(self, path: str) -> Any:
        self.posted.append(path)
        return {"node": "relay-1", "incarnation": "i1"}

    def get(self, path: str) -> Any:
        assert path == "/v1/status"
        life = self._lives.pop(0) if len(self._lives) > 1 else self._lives[0]
        if life is None:
            raise NoGatewayError("no cluster answers")
        return {"nodes": [{"id": "relay-1", "incarnation": life}] if life else []}

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def drain(self, timeout_s: float = 10.0) -> Drained:
        return drain(self, "relay-1", timeout_s, lambda: self.now_s, self.sleep)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lives", "now"),
    [(("i1", "i1", ""), ""), (("i1", "i2"), "i2"), (("i1", None, None, "i2"), "i2")],
)
def test_it_waits_until_that_life_is_over(lives: tuple[str | None, ...], now: str) -> None:
    gateway = FakeGateway(*lives)
    drained = gateway.drain()
    assert gateway.posted == ["/v1/nodes/relay-1/drain"]
    assert (drained.incarnation, drained.now) == ("i1", now)
    assert drained.seconds == pytest.approx(0.1 * len(lives))
    assert ("i2 is in its place" in line(drained)) == bool(now)


def test_a_gateway_that_was_drained_itself_and_stays_away_has_ended() -> None:
    drained = FakeGateway("i1", None).drain()
    assert (drained.now, drained.seconds) == ("", pytest.approx(AWAY_S + 0.1, abs=0.2))


def test_a_node_that_does_not_end_is_a_failure() -> None:
    with pytest.raises(Failure, match=r"relay-1 has been told to drain .* within 2 s"):
        FakeGateway("i1").drain(timeout_s=2)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.dumps({"code": "not_found", "detail": "No node x lives."}).encode()
        self.send_response(404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def run(state_dir: Path, port: int) -> str:
    (state_dir / "secrets.json").write_text(json.dumps({"token_secret": SECRET}))
    arguments = ["drain", "x", "--port-base", str(port), "--state-dir", str(state_dir)]
    result = CliRunner().invoke(relaymesh, arguments)
    assert result.exit_code == 1
    return result.output.strip()


def test_what_the_gateway_refuses_is_one_line(tmp_path: Path, refusing: int) -> None:
    assert run(tmp_path, refusing) == "Error: No node x lives."


def test_no_gateway_is_one_line(tmp_path: Path) -> None:
    assert run(tmp_path, 1).startswith("Error: no cluster answers at http://127.0.0.1:1 (")
