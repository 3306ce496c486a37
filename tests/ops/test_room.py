"""`relaymesh room` against a gateway that answers as a test says."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.command import relaymesh
from ops.commands.room import heat_lines
from proto.token_keys import Keyring, hs256
from proto.tokens import verify

SECRET = "s" * 32
HEAT = {
    "room": "big-show",
    "state": "moving",
    "fence": 17,
    "pool": "hot-b",
    "since_ms": 1,
    "firsts": {"urgent": 5, "normal": 9, "bulk": 4},
    "spread_ms": 2000,
    "wish": "auto",
    "tag": "",
    "hot_at_ms": [1, 2],
    "online": 12000,
    "nodes_wanted": 3,
    "nodes": [
        {"node": "access-hot-1", "ready": True, "connections": 60},
        {"node": "access-hot-2", "ready": False, "connections": 0},
    ],
    "failures": 0,
    "trouble": "",
    "retry_s": 0.0,
    "rules_version": 12,
    "gateways": {"router-1": 12, "router-2": 11},
}


class Gateway(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, bytes]] = []  # noqa: RUF012
    answer: tuple[int, Any] = (200, HEAT)

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers["Authorization"].removeprefix("Bearer ")
        assert verify(token, Keyring([hs256(SECRET)]), 0).role == "server"
        self.asked.append((self.command, self.path, body))
        status, said = self.answer
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _take  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[tuple[type[Gateway], int]]:
    handler = type("Handler", (Gateway,), {"asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    yield handler, server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def run(port: int, tmp_path: Path, *arguments: str) -> Result:
    (tmp_path / "secrets.json").write_text(json.dumps({"token_secret": SECRET}))
    where = ["--port-base", str(port), "--state-dir", str(tmp_path)]
    return CliRunner().invoke(relaymesh, ["room", *arguments, *where])


@pytest.mark.parametrize(
    ("name", "asked", "answer"),
    [
        ("show", ("GET", "/v1/rooms/big-show/heat", b""), HEAT),
        ("heat", ("POST", "/v1/rooms/big-show/heat", b'{"wish": "hot"}'), {"wish": "hot"}),
        ("cool", ("POST", "/v1/rooms/big-show/heat", b'{"wish": "cool"}'), {"wish": "cool"}),
        ("auto", ("POST", "/v1/rooms/big-show/heat", b'{"wish": "auto"}'), {"wish": "auto"}),
        ("tag", ("PUT", "/v1/rooms/big-show/tag", b""), {"tag": "operator"}),
        ("untag", ("DELETE", "/v1/rooms/big-show/tag", b""), {"tag": ""}),
    ],
)
def test_each_command_asks_the_gateway_and_shows_its_answer(
    gateway: Any, tmp_path: Path, name: str, asked: Any, answer: Any
) -> None:
    handler, port = gateway
    handler.answer = (200, {"room": "big-show", **answer})
    machine = run(port, tmp_path, name, "big-show", "--json")
    eyes = run(port, tmp_path, name, "big-show")
    assert handler.asked == [asked, asked]
    assert (machine.exit_code, json.loads(machine.output)) == (0, handler.answer[1])
    assert eyes.exit_code == 0
    assert eyes.output.startswith("big-show: ")


def test_a_rooms_heat_is_shown_for_eyes() -> None:
    lines = heat_lines(HEAT).splitlines()
    assert lines[0] == "big-show: moving, fence 17, pool hot-b"
    assert "nodes      1 ready, 3 wanted" in lines
    assert "gateways   1 of 2 go by the newest rules" in lines
    assert lines[-1].split() == ["access-hot-2", "not", "ready", "0", "connections"]
    assert not [line for line in lines if line.startswith(("failed", "trouble"))]
    why = "PUT of pool hot-b: no answer for 5 s"
    failed = heat_lines({**HEAT, "failures": 2, "retry_s": 7.5, "online": None, "trouble": why})
    assert f"trouble    {why}" in failed
    assert "failed     2 times; tried again in 7.5 s" in failed
    assert "online     not known" in failed


def test_what_the_gateway_refuses_is_said_in_a_line(gateway: Any, tmp_path: Path) -> None:
    handler, port = gateway
    handler.answer = (404, {"code": "not_found", "detail": "There is no room x."})
    result = run(port, tmp_path, "heat", "x")
    assert (result.exit_code, result.output) == (1, "Error: There is no room x.\n")


def test_a_name_that_is_none_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    result = run(1, tmp_path, "show", "two words")
    assert result.exit_code == 2
    assert result.output.startswith("Error: 'two words' is no room: ")


def test_without_a_cluster_the_reason_is_a_line(free_port: int, tmp_path: Path) -> None:
    result = run(free_port, tmp_path, "show", "big-show")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: no cluster answers at http://127.0.0.1:{free_port}")
    assert result.output.count("\n") == 1
