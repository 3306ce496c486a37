import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from ops.command import BENCHES, SUBCOMMANDS, relaymesh
from ops.commands.status import table, with_restarts
from ops.config.schema import keys_of, tables_of
from ops.config.toml import example
from ops.roles import ROLES
from proto.client_requests import Gift
from proto.receipts import verify_receipt
from proto.token_keys import Keyring, hs256
from proto.tokens import verify

CONFIGS = Path(__file__).parents[2] / "configs"
SECRET = "s" * 32


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(relaymesh, arguments)


@pytest.mark.parametrize("role", ROLES)
def test_the_config_files_are_the_documented_defaults(role: str) -> None:
    shown = run("config", "example", role).output
    assert (CONFIGS / f"{role}.toml").read_text(encoding="utf-8") == shown, (
        f"run `just configs`: configs/{role}.toml is not up to date"
    )


@pytest.mark.parametrize("role", ROLES)
def test_every_key_is_documented(role: str) -> None:
    keys = keys_of(tables_of(role)).values()
    assert [key.dotted for key in keys if len(key.description) < 15] == []
    assert example(role, tables_of(role)).count("\n[") >= 3


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    return file


def test_a_token_says_who_the_client_is(secret_file: Path) -> None:
    options = ["--host", "room-1", "--name", "Ann", "--ttl-s", "60"]
    result = run("token", "ann", *options, "--secret-file", str(secret_file))
    claims = verify(result.output.strip(), Keyring([hs256(SECRET)]), time.time())
    assert (claims.sub, claims.name, claims.host, claims.role) == (
        "ann",
        "Ann",
        ("room-1",),
        "viewer",
    )
    assert 50 < claims.exp - time.time() <= 60


def test_a_token_is_signed_with_the_secret_of_the_local_cluster(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"token_secret": SECRET}))
    result = run("token", "shop", "--server", "--state-dir", str(tmp_path))
    assert verify(result.output.strip(), Keyring([hs256(SECRET)]), time.time()).role == "server"


def test_the_environment_may_hold_the_secret(tmp_path: Path) -> None:
    result = run("token", "u", "--state-dir", str(tmp_path), RELAYMESH_TOKEN_SECRET=SECRET)
    assert verify(result.output.strip(), Keyring([hs256(SECRET)]), time.time()).sub == "u"


def test_a_receipt_is_minted_for_one_gift(secret_file: Path) -> None:
    what = ["ann", "lobby", "rose", "5", "--count", "2", "--jti", "order-7", "--ttl-s", "60"]
    result = run("receipt", *what, "--secret-file", str(secret_file))
    gift = Gift(id=1, room="lobby", gift="rose", value=5, count=2, receipt=result.output.strip())
    receipt = verify_receipt(gift, "ann", Keyring([hs256(SECRET)]), time.time())
    assert receipt.jti == "order-7"
    assert 50 < receipt.exp - time.time() <= 60


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["receipt", "u", "r", "g", "x"], 2, "'x' is not a valid integer"),
        (["receipt", "u", "r", "g", "1", "--ttl-s", "0"], 2, "--ttl-s: expected 1 to 86400"),
        (["receipt", "u", "r", "g", "1", "--jti", "a b", "--secret-file", "FILE"], 2, "jti 'a b'"),
        (["receipt", "u", "r", "g", "1", "--state-dir", "/nowhere"], 1, "no secret: "),
        (["token", "a b", "--secret-file", "FILE"], 2, "must match"),
        (["token", "u", "--ttl-s", "0", "--secret-file", "FILE"], 2, "--ttl-s: expected"),
        (["token", "u", "--state-dir", "/nowhere"], 1, "no secret: "),
        (["token"], 2, "Missing argument 'UID'"),
        (["status", "--port-base", "1"], 1, "no cluster answers at http://127.0.0.1:1/v1/status"),
        (["up", "--relays", "0"], 2, "relay nodes: expected 1 to 8, got 0"),
        (["up", "--set", "wat.x=1"], 2, "--set wat.x: unknown table wat"),
        (["up", "--bus", "rocketmq"], 2, "--bus rocketmq needs --bus-url HOST:PORT"),
        (["up", "--port-base", "x"], 2, "'x' is not a valid integer"),
        (["nonsense"], 2, "No such command 'nonsense'"),
    ],
)
def test_what_can_not_be_done_is_one_clear_line(
    arguments: list[str], code: int, expected: str, secret_file: Path
) -> None:
    result = run(*[str(secret_file) if each == "FILE" else each for each in arguments])
    assert (result.exit_code, expected in result.output) == (code, True), result.output


def test_a_cluster_is_not_started_with_what_names_one_node(tmp_path: Path) -> None:
    result = run("up", "--state-dir", str(tmp_path / "s"), RELAYMESH_NODE__ID="me")
    assert (result.exit_code, "RELAYMESH_NODE__ID is for one node" in result.output) == (2, True)


STATUS = {
    "links": {"held": 8, "full_mesh": 4},
    "nodes": [
        {
            "id": "relay-1",
            "role": "relay",
            "region": "local",
            "up": True,
            "links": 3,
            "lane_depths": {"urgent": 0, "bulk": 12},
            "connections": None,
            "rooms": 5,
            "drops": {"lane_full bulk": 30, "lane_full normal": 4},
            "certificate": {"name": "relay/relay-1", "expires_s": time.time() + 300 * 24 * 3600},
        }
    ],
    "pools": [{"pool": "hot-b", "nodes": 3, "ready": 2, "connections": 90}],
    "hot_rooms": [
        {"room": "gala", "state": "preparing", "fence": 1, "pool": ""},
        {"room": "show", "state": "hot", "fence": 3, "pool": "hot-b"},
    ],
}


NODES = {
    "redis-bus": {"role": "redis", "pid": 41, "restarts": 0},
    "relay-1": {"role": "relay", "pid": 42, "restarts": 3},
    "logic-1": {"role": "logic", "pid": None, "restarts": 9},
}


@pytest.fixture
def gateway() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v1/status" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(STATUS).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_status_shows_nodes_links_and_restarts(gateway: int, tmp_path: Path) -> None:
    record = {"port_base": gateway, "nodes": NODES}
    (tmp_path / "cluster.json").write_text(json.dumps(record))
    options = ["--port-base", str(gateway), "--state-dir", str(tmp_path)]
    shown = run("status", *options).output
    assert "links: 8 held, 4 in a full mesh" in shown
    assert "relay-1  relay  local   yes  3 " in shown
    assert "logic-1  logic  -       no   9 " in shown
    assert "pool hot-b: 2 of 3 nodes ready, 90 connections\n" in shown
    assert "room gala: preparing\nroom show: hot, pool hot-b\n" in shown
    assert "-    34     -        300 days     urgent:0 bulk:12" in shown
    status = json.loads(run("status", "--json", *options).output)
    assert status["links"] == STATUS["links"]
    assert (status["nodes"][0]["pid"], status["nodes"][0]["restarts"]) == (42, 3)
    lost = {"id": "logic-1", "role": "logic", "up": False, "pid": None, "restarts": 9}
    assert status["nodes"][1:] == [lost]


def test_who_was_lost_and_what_to_look_at_are_shown_too() -> None:
    lost = {**STATUS["nodes"][0], "id": "relay-2", "up": False, "silent_s": 9.0}
    alert = {"severity": "critical", "summary": "relay-2 has not been heard of for 9 s"}
    shown = table(with_restarts({**STATUS, "lost": [lost], "alerts": [alert]}, {}))
    assert "relay-2  relay  local   no " in shown
    assert shown.endswith("\ncritical: relay-2 has not been heard of for 9 s")


def test_status_of_another_folder_counts_no_restarts(gateway: int, tmp_path: Path) -> None:
    options = ["--json", "--port-base", str(gateway), "--state-dir", str(tmp_path)]
    assert json.loads(run("status", *options).output) == STATUS


@pytest.mark.parametrize(
    "arguments",
    [[name] for name in SUBCOMMANDS] + [["bench", n] for n in BENCHES] + [["chaos", "room"]],
)
def test_every_command_of_the_table_explains_itself(arguments: list[str]) -> None:
    result = run(*arguments, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage: " in result.output


def test_a_command_imports_no_more_than_it_needs() -> None:
    heavy = {"hypercorn", "starlette", "pynng", "redis", "jwt", "bench", "structlog"}
    code = "import sys, ops.command, ops.commands.up, router.settings; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert heavy & set(loaded) == set()
