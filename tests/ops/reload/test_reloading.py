"""A config that changes while a node runs: when it is read, what is taken over, what is said."""

import io
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from prometheus_client.registry import Collector, CollectorRegistry
from trio.testing import wait_all_tasks_blocked

import access.settings
from ops.config.following import LOOK_S
from ops.config.load import load
from ops.config.metrics import ReloadCollector
from ops.config.reloading import Reloading
from ops.logging import configure, set_level
from ops.settings import LogSettings

SECRET = "s" * 32
Says = Callable[..., None]


class Node:
    """A role that takes over what it is given, or can't."""

    def __init__(self) -> None:
        self.rooms: list[int] = []
        self.error: Exception | None = None
        self.hangups = 0

    def ready(self) -> bool:
        return True

    def status(self) -> dict[str, Any]:
        return {}

    def collectors(self) -> Iterable[Collector]:
        return []

    def reconfigured(self, settings: access.settings.Settings) -> None:
        if self.error:
            raise self.error
        self.rooms.append(settings.client.max_rooms)

    def hung_up(self) -> None:
        self.hangups += 1


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in this thread: a mock clock jumps over others."""

    async def run_sync(work: Any, *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access.toml"


@pytest.fixture
def says(file: Path) -> Says:
    """Replaces the file, as editors do."""

    def write(text: str = "", secret: str = SECRET) -> None:
        new = file.with_suffix(".new")
        new.write_text(f"[access.tokens]\nsecret = '{secret}'\n{text}")
        new.replace(file)

    write()
    return write


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as found:
        yield found
    set_level("info")


@pytest.fixture
async def node() -> Node:
    return Node()


@pytest.fixture
async def reloading(
    file: Path, says: Says, node: Node, nursery: trio.Nursery, at_once: None, logs: list[Any]
) -> Reloading:
    """Follows the file for `node`."""

    def read() -> Any:
        return load("access", file, {})

    found = Reloading(read(), file, read)
    nursery.start_soon(found.follow, node)
    await wait_all_tasks_blocked()
    return found


async def looked() -> None:
    await trio.sleep(1.5 * LOOK_S)


def samples(reloading: Reloading) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(ReloadCollector(reloading))
    found = [sample for family in registry.collect() for sample in family.samples]
    return {",".join([each.name, *each.labels.values()]): each.value for each in found}


def events(logs: list[Any], name: str) -> list[Any]:
    return [each for each in logs if each["event"] == name]


async def test_a_file_that_has_changed_is_taken_over_by_itself(
    autojump_clock: Any, reloading: Reloading, node: Node, says: Says, logs: list[Any]
) -> None:
    await trio.sleep(5 * LOOK_S)
    assert (node.rooms, logs) == ([], [])
    says("[access.client]\nmax_rooms = 7\n")
    await looked()
    assert node.rooms == [7]
    (line,) = events(logs, "config_reloaded")
    assert line["keys"] == ("access.client.max_rooms",)
    assert samples(reloading)["relaymesh_config_reloads_total,taken_over"] == 1


async def test_a_hangup_has_it_read_at_once_whether_the_file_has_changed_or_not(
    autojump_clock: Any, reloading: Reloading, node: Node
) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    await wait_all_tasks_blocked()
    assert (node.rooms, node.hangups) == ([50], 1)
    assert reloading.outcomes["taken_over"] == 1


BAD = [
    ("nonsense", "not valid TOML"),
    ("[access.client]\nmax_rooms = 'many'\n", "access.client.max_rooms: expected `int`, got text"),
    ("[access.client]\nmax_rooms = 7\nmax_romes = 3\n", "access.client.max_romes: unknown key"),
    ("[access.edge]\nmax_queued_bytes = 20000\n", "access.im.in_flight_bytes: expected at most"),
    ("[access.mesh]\nrelays = ['nowhere']\n", "access.mesh.relays: 'nowhere' is neither"),
]


@pytest.mark.parametrize(("text", "reason"), BAD, ids=["toml", "kind", "unknown", "pair", "relay"])
async def test_a_bad_config_changes_nothing_and_the_log_says_why(
    autojump_clock: Any,
    reloading: Reloading,
    node: Node,
    says: Says,
    logs: list[Any],
    text: str,
    reason: str,
) -> None:
    before = reloading.config
    says(text)
    await trio.sleep(5 * LOOK_S)
    assert (node.rooms, reloading.config) == ([], before)
    (line,) = events(logs, "config_refused")
    assert reason in line["reason"]
    assert SECRET not in str(logs)
    assert reason in reloading.status()["refused"]
    assert samples(reloading)["relaymesh_config_refused"] == 1
    says("[access.client]\nmax_rooms = 9\n")
    await looked()
    assert node.rooms == [9]
    assert samples(reloading)["relaymesh_config_refused"] == 0
    assert reloading.status()["reloads"] == {"taken_over": 1, "restart_needed": 0, "refused": 1}


async def test_a_secret_that_is_refused_is_not_repeated(
    autojump_clock: Any, reloading: Reloading, says: Says, logs: list[Any]
) -> None:
    says(secret="too short")
    await looked()
    (line,) = events(logs, "config_refused")
    assert "access.tokens.secret" in line["reason"]
    assert "too short" not in str(logs)


async def test_every_mistake_of_a_bad_config_is_named(
    autojump_clock: Any, reloading: Reloading, says: Says, logs: list[Any]
) -> None:
    says("[access.client]\nmax_rooms = 0\nhello_s = 'x'\n")
    await looked()
    (line,) = events(logs, "config_refused")
    assert "access.client.max_rooms" in line["reason"]
    assert "access.client.hello_s" in line["reason"]


async def test_a_file_that_is_gone_is_none_that_has_changed(
    autojump_clock: Any, reloading: Reloading, file: Path, logs: list[Any]
) -> None:
    file.unlink()
    await looked()
    assert logs == []
    os.kill(os.getpid(), signal.SIGHUP)
    await looked()
    assert "No such file" in events(logs, "config_refused")[0]["reason"]


async def test_what_takes_a_restart_is_named_until_it_is_as_before_again(
    autojump_clock: Any, reloading: Reloading, node: Node, says: Says, logs: list[Any]
) -> None:
    says("[access]\npool = 'p1'\n[access.client]\nmax_rooms = 7\n[node]\nregion = 'eu'\n")
    await looked()
    (line,) = events(logs, "restart_needed")
    assert line["keys"] == ("node.region", "access.pool")
    assert node.rooms == [7]
    own = reloading.config.own
    assert isinstance(own, access.settings.Settings)
    assert (own.pool, reloading.config.node.region) == ("", "local")
    assert reloading.status()["restart_needed"] == ("node.region", "access.pool")
    assert samples(reloading)["relaymesh_config_restart_needed"] == 2
    assert samples(reloading)["relaymesh_config_reloads_total,restart_needed"] == 1
    says("[access.client]\nmax_rooms = 7\n")
    await looked()
    assert samples(reloading)["relaymesh_config_restart_needed"] == 0


async def test_what_fits_only_to_what_takes_a_restart_waits_with_it(
    autojump_clock: Any, reloading: Reloading, node: Node, says: Says, logs: list[Any]
) -> None:
    """Smaller queues go with smaller windows, and these are for new devices alone."""
    says("[access.edge]\nmax_queued_bytes = 20000\n[access.im]\nin_flight_bytes = 9000\n")
    await looked()
    (line,) = events(logs, "restart_needed")
    assert line["keys"] == ("access.edge.max_queued_bytes", "access.im.in_flight_bytes")
    assert "access.im.in_flight_bytes: expected at most half" in line["reason"]
    own: Any = reloading.config.own
    assert (own.edge.max_queued_bytes, own.im.in_flight_bytes) == (256 * 1024, 128 * 1024)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ValueError("links: no"), "links: no"), (KeyError("a bug"), "KeyError: 'a bug'")],
)
async def test_a_role_that_can_not_take_it_over_goes_on_as_before(
    autojump_clock: Any,
    reloading: Reloading,
    node: Node,
    says: Says,
    logs: list[Any],
    error: Exception,
    reason: str,
) -> None:
    node.error, before = error, reloading.config
    says("[access.client]\nmax_rooms = 7\n[log]\nlevel = 'error'\n")
    await looked()
    assert reloading.config == before
    (line,) = events(logs, "config_refused")
    assert line["reason"] == reason
    node.error = None
    os.kill(os.getpid(), signal.SIGHUP)
    await looked()
    assert node.rooms == [7]


async def test_what_the_command_line_says_is_not_for_the_file_to_change(
    autojump_clock: Any, file: Path, says: Says, node: Node, at_once: None, logs: list[Any]
) -> None:
    def read() -> Any:
        return load("access", file, {}, ["access.client.max_rooms=3"])

    reloading = Reloading(read(), file, read)
    says("[access.client]\nmax_rooms = 7\nmax_in_flight = 5\n")
    await reloading.reload(node)
    assert node.rooms == [3]
    assert events(logs, "config_reloaded")[0]["keys"] == ("access.client.max_in_flight",)


@pytest.mark.usefixtures("restore_logging")
def test_loggers_that_are_in_use_follow_the_level() -> None:
    stream = io.StringIO()
    configure(LogSettings(level="info"), node="n", role="relay", stream=stream)
    log, bound = structlog.get_logger(), structlog.get_logger().bind(link="l1")
    for level in ("info", "debug", "error"):
        set_level(level)
        log.debug("fine")
        bound.info("usual")
        log.error("bad")
    found = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert found == ["usual", "bad", "fine", "usual", "bad", "bad"]


async def test_what_changes_while_the_node_starts_is_not_missed(
    autojump_clock: Any,
    file: Path,
    says: Says,
    node: Node,
    nursery: trio.Nursery,
    at_once: None,
    logs: list[Any],
) -> None:
    def read() -> Any:
        return load("access", file, {})

    reloading = Reloading(read(), file, read)
    says("[access.client]\nmax_rooms = 7\n")
    nursery.start_soon(reloading.follow, node)
    await looked()
    assert node.rooms == [7]
