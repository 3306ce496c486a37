"""A node's config file that changes while the node runs."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import trio
from prometheus_client.registry import Collector

import access.settings
from ops.config.following import follow
from ops.config.load import load


class Node:
    """A role that takes over its relays."""

    def __init__(self) -> None:
        self.relays: list[list[str]] = []

    def ready(self) -> bool:
        return True

    def status(self) -> dict[str, Any]:
        return {}

    def collectors(self) -> Iterable[Collector]:
        return []

    def reconfigured(self, settings: access.settings.Settings) -> None:
        if "bad" in settings.mesh.relays:
            raise ValueError("'bad' is no address")
        self.relays.append(settings.mesh.relays)


def write(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file in this thread: a mock clock jumps over others."""

    async def run_sync(work: Any, *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


async def test_a_changed_file_is_taken_over_and_a_bad_one_changes_nothing(
    autojump_clock: Any, nursery: trio.Nursery, tmp_path: Path, at_once: None
) -> None:
    file, node = tmp_path / "access.toml", Node()
    secret = "tokens.secret = 'ssssssssssssssssssssssssssssssss'\n"

    def says(relays: str) -> str:
        return f"[access]\n{secret}[access.mesh]\nrelays = {relays}\n"

    def read() -> msgspec.Struct:
        return load("access", file, {}).own

    write(file, says("['tcp://a:1']"))
    with structlog.testing.capture_logs() as logs:
        nursery.start_soon(follow, file, read, node)
        await trio.sleep(5)
        assert node.relays == []
        for text in (
            says("['tcp://a:1', 'tcp://b:1']"),
            says("['tcp://a:1'"),
            says("3"),
            says("['bad']"),
            "",
        ):
            write(file, text)
            await trio.sleep(1.5)
        os.unlink(file)
        await trio.sleep(1.5)
        write(file, says("[]"))
        await trio.sleep(1.5)
    assert node.relays == [["tcp://a:1", "tcp://b:1"], []]
    reasons = [each["reason"] for each in logs if each["event"] == "config_refused"]
    assert [part in reason for part, reason in zip(REFUSED, reasons, strict=True)] == [True] * 4
    nursery.cancel_scope.cancel()


REFUSED = ("not valid TOML", "access.mesh.relays", "'bad' is no address", "access.tokens.secret")
