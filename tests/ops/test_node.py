import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import trio
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ops.config.load import NodeConfig
from ops.errors import Failure, one_line, root_cause
from ops.logging import configure
from ops.node import run_node
from ops.roles import Service
from ops.settings import LogSettings, NodeSettings
from ops.supervision import Supervision
from proto.identity import NodeIdentity


class Deliveries(Collector):
    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily("relaymesh_deliveries", "Frames sent.", 7)


class FakeService:
    def __init__(self) -> None:
        self.is_ready = True

    def ready(self) -> bool:
        return self.is_ready

    def status(self) -> dict[str, Any]:
        return {"links": {"relay-1": "up"}}

    def collectors(self) -> Iterable[Collector]:
        return [Deliveries()]

    def routes(self) -> list[BaseRoute]:
        async def where(_: Request) -> Response:
            return JSONResponse({"here": True})

        async def broken(_: Request) -> Response:
            raise RuntimeError("a bug")

        return [Route("/v1/where", where), Route("/v1/broken", broken)]


class FakeRole:
    def __init__(self) -> None:
        self.service = FakeService()
        self.drained = False

    async def run(
        self,
        settings: msgspec.Struct,
        identity: NodeIdentity,
        *,
        stopping: trio.Event,
        task_status: trio.TaskStatus[Service],
    ) -> None:
        self.identity = identity
        task_status.started(self.service)
        await stopping.wait()
        self.drained = True


def config(port: int, drain_s: float = 5.0) -> NodeConfig:
    node = NodeSettings(id="relay-1", http=f"127.0.0.1:{port}", drain_s=drain_s)
    return NodeConfig("relay", node, LogSettings(), NodeSettings())


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def fetch(port: int, path: str) -> tuple[int, str]:
    return await trio.to_thread.run_sync(get, port, path)


class Supervised:
    """Both ends of a supervision socket."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.supervision = Supervision.__new__(Supervision)
        self.supervision._socket = theirs

    async def ready(self) -> bytes:
        await trio.lowlevel.wait_readable(self.ours)
        return self.ours.recv(64)


async def test_endpoints_show_the_node_until_a_signal_drains_it(free_port: int) -> None:
    role, supervised = FakeRole(), Supervised()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            run = partial(run_node, config(free_port), role.run, supervised.supervision)
            nursery.start_soon(run)
            assert await supervised.ready() == b"ready\n"
            assert await fetch(free_port, "/healthz") == (200, "ok\n")
            assert await fetch(free_port, "/readyz") == (200, "ready\n")
            assert "relaymesh_deliveries_total 7.0" in (await fetch(free_port, "/metrics"))[1]
            assert json.loads((await fetch(free_port, "/statusz"))[1])["links"] == {"relay-1": "up"}
            assert await fetch(free_port, "/v1/where") == (200, '{"here":true}')
            role.service.is_ready = False
            assert await fetch(free_port, "/readyz") == (503, "not ready\n")
            assert (await fetch(free_port, "/nowhere"))[0] == 404
            os.kill(os.getpid(), signal.SIGTERM)
    assert role.drained
    assert (role.identity.node, role.identity.http_url) == (
        "relay-1",
        f"http://127.0.0.1:{free_port}",
    )


async def test_a_bug_in_a_route_is_a_500_and_a_log_line(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    role, supervised = FakeRole(), Supervised()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            run = partial(run_node, config(free_port), role.run, supervised.supervision)
            nursery.start_soon(run)
            await supervised.ready()
            status, body = await fetch(free_port, "/v1/broken")
            os.kill(os.getpid(), signal.SIGTERM)
    assert (status, "a bug" in body) == (500, False)
    assert [record.name for record in caplog.records] == ["hypercorn.error"]


async def test_a_drain_that_takes_too_long_is_cut(free_port: int) -> None:
    async def endless(
        settings: msgspec.Struct,
        identity: NodeIdentity,
        *,
        stopping: trio.Event,
        task_status: trio.TaskStatus[Service],
    ) -> None:
        task_status.started(FakeService())
        await trio.sleep_forever()

    supervised = Supervised()
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            slow = config(free_port, drain_s=0.05)
            nursery.start_soon(run_node, slow, endless, supervised.supervision)
            await supervised.ready()
            os.kill(os.getpid(), signal.SIGINT)


async def test_an_address_in_use_is_one_line(free_port: int) -> None:
    line = f"node.http: can't listen at 127.0.0.1:{free_port}: .*Address already in use"
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(Failure, match=line):
        await run_node(config(free_port), FakeRole().run, Supervision(None))


async def test_a_role_that_ends_by_itself_is_a_failure(free_port: int) -> None:
    async def brief(
        settings: msgspec.Struct,
        identity: NodeIdentity,
        *,
        stopping: trio.Event,
        task_status: trio.TaskStatus[Service],
    ) -> None:
        task_status.started(FakeService())

    with pytest.raises(ExceptionGroup) as caught:
        await run_node(config(free_port), brief, Supervision(None))
    assert isinstance(root_cause(caught.value), Failure)
    assert one_line(caught.value) == "the relay role ended by itself"


@pytest.mark.usefixtures("restore_logging")
def test_json_lines_say_node_role_and_trace_whoever_wrote_them() -> None:
    stream = io.StringIO()
    configure(LogSettings(level="info"), node="relay-1", role="relay", stream=stream)
    log = structlog.get_logger()
    log.info("message_forwarded", trace="abc", bytes=200, key=b"\xff")
    log.debug("too_fine")
    logging.getLogger("hypercorn.error").error("from a %s", "library")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["message_forwarded", "from a library"]
    assert all((line["node"], line["role"]) == ("relay-1", "relay") for line in lines)
    assert (lines[0]["trace"], lines[0]["level"]) == ("abc", "info")
    assert lines[1]["level"] == "error"


@pytest.mark.usefixtures("restore_logging")
def test_a_traceback_stays_within_its_json_line() -> None:
    stream = io.StringIO()
    configure(LogSettings(), node="n", role="relay", stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]


@pytest.mark.usefixtures("restore_logging")
def test_the_console_form_is_for_eyes() -> None:
    stream = io.StringIO()
    configure(LogSettings(format="console"), node="n", role="relay", stream=stream)
    structlog.get_logger().info("relay_up", relay="r1")
    assert "relay_up" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_wrong_config_is_refused_before_anything_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[log]\nlevel = 'loud'\n")
    command = [sys.executable, "-m", "ops", "relay", "--config", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert result.returncode == 2
    assert "log.level: expected 'debug' or 'info'" in result.stderr
    assert "Traceback" not in result.stderr
