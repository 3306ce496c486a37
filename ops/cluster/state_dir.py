"""The state folder of a local cluster: who holds it, its secrets, configs, logs and data."""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from ops.errors import Failure
from router.gateway.keys.api_key import ApiKey, digest, new_secret, token_of
from router.gateway.keys.file import entry
from router.gateway.scopes import Scope

LAYOUT = "1"
"""Version of the folder's layout; a folder of another version is refused."""

ID_BYTES = 6
API_KEYS_FILE = "api-keys.toml"
"""API keys of the cluster's back ends."""
API_KEY_FILE = "api-key"
"""The token of the one key that is made with the cluster."""
SECRET_NAMES = (
    "token_secret",
    "receipt_secret",
    "store_password",
    "bus_password",
    "pools_secret",
)


class StateDir:
    """The folder, held by this process from `take` until it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def take(self) -> None:
        """Make the folder if needed and hold it.

        What a crashed cluster left running is ended. Raises `Failure` with one line if another
        cluster holds the folder, or if it is not one of this version.
        """
        self._make()
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(self._held()) from None
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())
        self._end_leftovers()

    def secrets(self) -> dict[str, str]:
        """Return this cluster's secrets, each made at random when it is first needed."""
        file = self.path / "secrets.json"
        found: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
        made = {name: secrets.token_urlsafe(32) for name in SECRET_NAMES if name not in found}
        if made:
            self._write(file, json.dumps(found | made), 0o600)
        return found | made

    def cluster_id(self) -> str:
        """Return what tells this cluster from others, made at random the first time."""
        file = self.path / "cluster-id"
        if not file.exists():
            self._write(file, secrets.token_hex(ID_BYTES), 0o600)
        return file.read_text()

    def api_keys(self) -> Path:
        """Return the file of API keys. It is made with one key that may do everything, whose token
        is in a file beside it."""
        file = self.path / API_KEYS_FILE
        if not file.exists():
            secret = new_secret(secrets.token_bytes)
            key = ApiKey(id="local", sha256=digest(secret), scopes=tuple(Scope), note="made by up")
            self._write(self.path / API_KEY_FILE, token_of(key.id, secret) + "\n", 0o600)
            self._write(file, entry(key), 0o600)
        return file

    def folder(self, name: str) -> Path:
        """Return the subfolder `name`, made if needed, readable by the user alone."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def write_config(self, name: str, text: str) -> Path:
        """Write the config file `name`, readable by the user alone, and return its path."""
        file = self.folder("configs") / name
        self._write(file, text, 0o600)
        return file

    def record(self, cluster: dict[str, Any]) -> None:
        """Write what the cluster is now (`cluster.json`): nodes, process ids, restarts."""
        self._write(self.path / "cluster.json", json.dumps(cluster, indent=1), 0o600)

    def recorded(self) -> dict[str, Any]:
        """Return what `record` wrote last, or nothing."""
        try:
            found: dict[str, Any] = json.loads((self.path / "cluster.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _make(self) -> None:
        marker = self.path / "layout"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if marker.exists():
                self._require_layout(marker.read_text().strip())
            elif any(self.path.iterdir()):
                raise Failure(
                    f"{self.path} holds files that are not a cluster's; choose another --state-dir"
                )
            else:
                self._write(marker, LAYOUT + "\n", 0o600)
        except OSError as error:
            raise Failure(f"state folder {self.path}: {error.strerror}") from None

    def _require_layout(self, found: str) -> None:
        if found != LAYOUT:
            raise Failure(
                f"state folder {self.path} has layout {found}, this version uses layout {LAYOUT}; "
                "remove it or choose another with --state-dir"
            )

    def _held(self) -> str:
        assert self._lock is not None
        holder = os.read(self._lock, 32).decode(errors="replace").strip() or "unknown"
        return (
            f"another cluster (process {holder}) uses the state folder {self.path}; "
            "stop it or choose another with --state-dir"
        )

    def _end_leftovers(self) -> None:
        """End processes of a cluster that died here, known by process id and command line."""
        nodes = self.recorded().get("nodes", {})
        for pid in [node.get("pid") for node in nodes.values()]:
            if isinstance(pid, int) and str(self.path) in command_line(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                _wait_until_gone(pid)
        (self.path / "cluster.json").unlink(missing_ok=True)

    def _write(self, file: Path, text: str, mode: int) -> None:
        """Write whole files only: a reader never sees half of one."""
        temporary = file.with_name(file.name + ".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.replace(file)


def _wait_until_gone(pid: int) -> None:
    """Wait up to two seconds: the ports of a killed process are free when it is gone."""
    for _ in range(200):
        if not command_line(pid):
            return
        time.sleep(0.01)


def command_line(pid: int) -> str:
    """Return the command line of process `pid`, or an empty text if there is no such process."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
        )
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    listing = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout.strip()
