"""A private PostgreSQL server for tests and measurements, which may be killed and started again.

It lives in a folder of its own, listens on a unix socket in it and on nothing else, and trusts
whoever gets into the folder.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

UP_WITHIN_S = 30.0
ASK_EVERY_S = 0.02
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Options for a server that may forget everything when its host stops: for tests."""
_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNTS = ("postgres", "nobody")
"""Who runs the server where root starts it: PostgreSQL refuses to run as root."""


class NoPostgresqlError(Exception):
    """There is no PostgreSQL that can be used; the message is one line for a user."""


class PostgresqlServer:
    """A PostgreSQL in `folder`, with a `superuser` named `relaymesh`.

    `options` are settings of the server by their names in its own configuration.
    """

    def __init__(self, folder: Path, options: Mapping[str, str]) -> None:
        self._folder = folder
        self._options = dict(options)
        self._programs = find_programs()
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        if self._account:
            shutil.chown(folder, self._account)
        self._run("initdb", "-D", str(self._data), "-U", "relaymesh", "-A", "trust", *_INITDB)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped or killed since."""
        return self._process is not None

    def url(self, database: str = "postgres") -> str:
        """Return what `logic.database.url` is to be for one of its databases."""
        return f"postgresql+psycopg://relaymesh@/{database}?host={quote(str(self._folder))}"

    def start(self) -> None:
        """Start, with what an earlier run kept, and return when it takes connections.

        Raises `NoPostgresqlError` with its last words when that takes longer than 30 s.
        """
        assert self._process is None, "started already"
        deadline = time.monotonic() + UP_WITHIN_S
        while not self._answers():
            # One that follows upon a kill is refused until the last process of the old one ended.
            if self._process is None or self._process.poll() is not None:
                self._process = self._spawn()
            if time.monotonic() > deadline:
                self.kill()
                raise NoPostgresqlError(f"PostgreSQL does not start: {self._last_words()}")
            time.sleep(ASK_EVERY_S)

    def kill(self) -> None:
        """End all its processes with SIGKILL; what it has not synced may be lost."""
        assert self._process is not None, "not started"
        for pid in [self._process.pid, *_children(self._process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it in order, connections or not."""
        assert self._process is not None, "not started"
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w")
        self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        asked = ["-q", "-h", str(self._folder), "-U", "relaymesh", "-d", "postgres"]
        return self._process is not None and self._call("pg_isready", asked).returncode == 0

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = {"listen_addresses": "", "unix_socket_directories": str(self._folder)}
        options |= self._options
        given = [f"--{name}={value}" for name, value in options.items()]
        program = str(self._programs / "postgres")
        with open(self._folder / "log", "ab") as log:
            return subprocess.Popen(
                [program, "-D", str(self._data), *given],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                user=self._account,
            )

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, arguments)
        if done.returncode != 0:
            raise NoPostgresqlError(f"{program} failed: {done.stdout.strip()[-500:]}")

    def _call(self, program: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._programs / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self._folder,
            user=self._account,
        )

    def _last_words(self) -> str:
        return (self._folder / "log").read_text(errors="replace").strip()[-500:]


_INITDB = ("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs: that of the `initdb` on PATH, else Debian's
    newest; raises `NoPostgresqlError`."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not versions:
        raise NoPostgresqlError("no PostgreSQL: there is no initdb; Debian has it in `postgresql`")
    return versions[-1].parent


@contextlib.contextmanager
def running_postgresql(options: Mapping[str, str] | None = None) -> Iterator[PostgresqlServer]:
    """Give a started server in a new folder, which ends with the block.

    Raises `NoPostgresqlError`.
    """
    # A unix socket's path has at most 107 bytes. TMPDIR may be root's own, which the account that
    # runs the server would not get into.
    place = "/tmp" if _account() else None
    with tempfile.TemporaryDirectory(prefix="relaymesh-pg-", dir=place) as folder:
        server = PostgresqlServer(Path(folder), options or {})
        server.start()
        try:
            yield server
        finally:
            if server.is_running:
                server.kill()


def _account() -> str | None:
    if os.getuid() != 0:
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    return next((name for name in _ACCOUNTS if name in known), None)


def _children(pid: int) -> list[int]:
    """Return the processes that `pid` has started; none where the system does not tell: they end
    by themselves when they see that it is gone."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
