"""A real cluster, and a real Chromium."""

import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench.ports import free_port_base

if TYPE_CHECKING:
    from playwright import sync_api as playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
UP_S = 30.0


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the cluster."""
    return tmp_path_factory.mktemp("demo") / "state"


class Up(NamedTuple):
    """A running `relaymesh up`, and the address of its gateway."""

    url: str
    process: "subprocess.Popen[bytes]"

    @contextmanager
    def without_restarts(self) -> Iterator[None]:
        """Keep dead what is killed inside."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def gateway(cluster: Up) -> str:
    """The gateway of a cluster that runs for these tests."""
    return cluster.url


@pytest.fixture(scope="session")
def cluster(state: Path) -> Iterator[Up]:
    """A cluster that runs for these tests."""
    port = free_port_base()
    flags = ["--port-base", str(port), "--state-dir", str(state)]
    up_log = state.parent / "up.log"
    with open(up_log, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ops", "up", *flags], stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, up_log)
        yield Up(url, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def browser() -> Iterator["playwright.Browser"]:
    """Debian's Chromium, or whichever is on PATH."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    assert found, f"the browser tests need one of {', '.join(CHROMIUM_NAMES)} on PATH"
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/v1/status", timeout=2) as answer:
                if answer.read().count(b'"access"') >= 2:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"no cluster within {UP_S:g} s: {log.read_text()}")
