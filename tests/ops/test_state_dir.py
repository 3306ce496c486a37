import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from backends.bus.rocketmq.admin import Admin, NoBrokerError
from backends.bus.settings import BusSettings
from backends.database.settings import DatabaseSettings
from backends.redis.server import Redis
from bench.ports import free_port_base
from ops.cluster.broker import require_broker, require_client
from ops.cluster.free_ports import require_free_ports
from ops.cluster.node_tables import Shared, node_tables
from ops.cluster.options import UpOptions
from ops.cluster.plan import plan
from ops.cluster.state_dir import StateDir
from ops.errors import Failure, Refusal

HOLDER = """
import sys
from pathlib import Path
from ops.cluster.state_dir import StateDir
state = StateDir(Path(sys.argv[1]))
state.take()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_cluster_on_the_same_folder_gets_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "s")]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Failure, match=f"another cluster .process {holder.pid}. uses"):
            StateDir(tmp_path / "s").take()
        holder.kill()
        holder.wait()
        StateDir(tmp_path / "s").take()


def test_what_a_crashed_cluster_left_running_is_ended_and_nothing_else(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "s")
    state.take()
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with (
        subprocess.Popen([*wait, str(state.path)], stdin=-1) as ours,
        subprocess.Popen(wait, stdin=-1) as stranger,
    ):
        state.record({"nodes": {"a": {"pid": ours.pid}, "b": {"pid": stranger.pid}}})
        os.close(state._lock or -1)
        StateDir(tmp_path / "s").take()
        assert ours.wait(5) == -9
        assert stranger.poll() is None
        stranger.kill()


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "layout").write_text("99\n")
    with pytest.raises(Failure, match="has layout 99, this version uses layout 1"):
        StateDir(tmp_path).take()


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(Failure, match="holds files that are not a cluster's"):
        StateDir(tmp_path).take()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="Not a directory"):
        StateDir(tmp_path / "file" / "s").take()


def test_secrets_are_random_kept_and_private(tmp_path: Path) -> None:
    one, two = StateDir(tmp_path / "1"), StateDir(tmp_path / "2")
    one.take()
    two.take()
    assert one.secrets() == StateDir(tmp_path / "1").secrets()
    assert one.secrets() != two.secrets()
    assert len(set(one.secrets().values())) == len(one.secrets())
    for file in (one.path / "secrets.json", one.write_config("a.toml", "x = 1\n")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_record_is_always_whole_json(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "s")
    state.take()
    state.record({"nodes": {}})
    assert json.loads((state.path / "cluster.json").read_text()) == {"nodes": {}}
    (state.path / "cluster.json").write_text("{")
    assert state.recorded() == {}


def test_a_port_in_use_is_named_with_the_option() -> None:
    base = free_port_base()
    made = plan(base, routers=1, access=1, relays=1, logics=1)
    with (
        socket.create_server(("127.0.0.1", base + 31)),
        pytest.raises(Failure, match=rf"port {base + 31} .relay-1 normal. is in use.*--port-base"),
    ):
        require_free_ports(made)


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:99999", "host:x"])
def test_a_broker_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(Refusal, match="--bus-url HOST:PORT"):
        require_broker(address)


def test_a_broker_that_is_not_there_is_one_line(free_port: int) -> None:
    with pytest.raises(Failure, match="no RocketMQ name server answers at 127"):
        require_broker(f"127.0.0.1:{free_port}")


def test_a_name_server_that_is_something_else_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        answering = Thread(target=_answer_once, args=[other, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
        answering.start()
        with pytest.raises(Failure, match=f"the RocketMQ name server at {address} is of no use"):
            require_broker(address)
        answering.join()


def test_a_broker_that_has_not_registered_yet_is_waited_for(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def masters(_: Admin) -> list[str]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise NoBrokerError("no broker has registered yet")
        return [f"127.0.0.1:{broker.getsockname()[1]}"]

    monkeypatch.setattr(Admin, "masters", masters)
    monkeypatch.setattr("ops.cluster.broker.POLL_S", 0)
    with socket.create_server(("127.0.0.1", 0)) as broker:
        require_broker(f"127.0.0.1:{free_port}")
    assert asked == 3


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(answer)


def test_clusters_that_share_a_broker_have_topics_of_their_own(tmp_path: Path) -> None:
    options = UpOptions(bus="rocketmq", bus_url="127.0.0.1:9876")
    prefixes = []
    for name in ("one", "two", "one"):
        state = StateDir(tmp_path / name)
        state.path.mkdir(exist_ok=True)
        store = Redis("redis-store", (), tmp_path / "sock", "secret")
        bus = Shared.of(options, options.plan(), state, (store,)).bus
        assert msgspec.convert(bus, BusSettings).kind == "rocketmq"
        prefixes.append(bus["prefix"])
    assert prefixes[0] == prefixes[2] != prefixes[1]


def test_the_database_is_a_file_of_the_folder_unless_another_is_named(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    redis = tuple(Redis(f"redis-{name}", (), tmp_path, "secret") for name in ("store", "bus"))
    elsewhere = "postgresql+psycopg://db.example/relaymesh"
    urls = []
    for options in (UpOptions(), UpOptions(database_url=elsewhere)):
        shared = Shared.of(options, options.plan(), state, redis)
        tables = node_tables(options.plan().of("logic")[0], shared)
        urls.append(msgspec.convert(tables["logic"]["database"], DatabaseSettings).url)
    assert urls == [f"sqlite:///{tmp_path}/database/relaymesh.db", elsewhere]


def test_a_missing_client_of_the_broker_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("backends.bus.rocketmq.loader.LIBRARY", tmp_path / "none.so")
    with pytest.raises(Failure, match=r"RocketMQ client missing .*run `python -m"):
        require_client()


def test_a_secret_that_an_older_version_did_not_have_is_added(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.take()
    first = state.secrets()
    old = {name: secret for name, secret in first.items() if name != "pools_secret"}
    (state.path / "secrets.json").write_text(json.dumps(old))
    again = state.secrets()
    assert again == state.secrets()
    assert again["token_secret"] == first["token_secret"]
    assert len(again["pools_secret"]) >= 32
