import re
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trio

from backends.provisioner.settings import ProvisionerSettings

SECRET = "s" * 32
NOW_S = 1_790_000_000.0
DOCUMENT = Path(__file__).parents[3] / "docs/provisioner.md"


def documented() -> dict[str, Any]:
    """Return the names of the server that docs/provisioner.md shows."""
    (sample,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "scaler"}
    exec(sample, names)
    return names


class Scaler:
    """The documented server, with pods that are numbers in a table."""

    def __init__(self) -> None:
        self.pods: dict[str, int] = {}
        self.asked = 0
        names = documented()
        names |= {"SECRET": SECRET, "scale": self.scale, "release": self.release, "MOST_NODES": 5}
        names["time"] = self
        handler = type("Quiet", (names["Scaler"],), {"log_message": lambda *_: None})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def time(self) -> float:
        self.asked += 1
        return NOW_S

    def scale(self, pool: str, nodes: int) -> None:
        self.pods[pool] = nodes

    def release(self, pool: str) -> None:
        self.pods.pop(pool, None)


@pytest.fixture
def scaler() -> Iterator[Scaler]:
    scaler = Scaler()
    thread = threading.Thread(target=scaler.server.serve_forever, args=(0.005,))
    thread.start()
    yield scaler
    scaler.server.shutdown()
    scaler.server.server_close()
    thread.join()


def webhook_settings(url: str, **changed: Any) -> ProvisionerSettings:
    fields: dict[str, Any] = {"url": url, "secret": SECRET, "timeout_s": 2.0, "give_up_s": 5.0}
    return ProvisionerSettings(kind="webhook", **fields | changed)


async def nothing_in_use() -> set[str]:
    await trio.lowlevel.checkpoint()
    return set()
