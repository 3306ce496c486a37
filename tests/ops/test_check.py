"""`relaymesh check`: its report, what it says when nothing is there, a run on a real cluster."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.ports import free_port_base
from ops.check import command
from ops.check.report import Check, Report, percentile

UP_S = 30.0


def test_report_is_ok_only_with_checks_that_all_passed() -> None:
    passed, failed = Check("a", True, "fine"), Check("b", False, "broken")
    assert not Report().ok
    assert Report([passed]).ok
    assert not Report([passed, failed]).ok
    assert "FAIL  b  broken" in Report([passed, failed]).as_table()


def test_report_as_json_has_the_documented_keys() -> None:
    report = Report([Check("a", True, "fine")])
    report.latencies_ms["urgent"] = [3.0, 1.0, 2.0]
    nothing = {"p50": None, "p99": None}
    assert report.as_json() == {
        "ok": True,
        "checks": [{"name": "a", "ok": True, "detail": "fine"}],
        "latency_ms": {"urgent": {"p50": 2.0, "p99": 3.0}, "normal": nothing, "bulk": nothing},
    }


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)])
def test_percentile_is_a_sample(percent: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == expected


def test_cluster_that_is_not_there_is_one_line(free_port: int) -> None:
    result = CliRunner().invoke(command, ["--port-base", str(free_port)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: no cluster answers at http://127.0.0.1:{free_port}")
    assert len(result.output.splitlines()) == 1


def test_cluster_that_is_not_there_is_a_failed_check_in_json(free_port: int) -> None:
    result = CliRunner().invoke(command, ["--port-base", str(free_port), "--json"])
    report = json.loads(result.output)
    assert (result.exit_code, report["ok"]) == (1, False)
    assert [check["name"] for check in report["checks"]] == ["reach_the_cluster"]


def test_missing_secret_file_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--secret-file", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "none: No such file" in result.output


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The flags that lead to a running cluster of three access nodes."""
    state = tmp_path_factory.mktemp("check") / "state"
    flags = ["--port-base", str(free_port_base()), "--state-dir", str(state)]
    arguments = [sys.executable, "-m", "ops", "up", *flags, "--access", "3"]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(flags[1], process)
        yield flags
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


@pytest.mark.cluster_long
@pytest.mark.parametrize("with_secret", [True, False], ids=["with the secret", "demo tokens"])
def test_every_check_passes_on_a_real_cluster(cluster: list[str], with_secret: bool) -> None:
    flags = cluster if with_secret else cluster[:2]
    result = subprocess.run(
        [sys.executable, "-m", "ops", "check", *flags, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(cluster[3]).parent,
    )
    report = json.loads(result.stdout)
    assert [check for check in report["checks"] if not check["ok"]] == []
    assert result.returncode == 0
    assert len(report["checks"]) == (26 if with_secret else 24)
    assert all(report["latency_ms"][each]["p99"] > 0 for each in ("urgent", "normal", "bulk"))


def _wait_until_ready(port_base: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the cluster does not start"
        try:
            url = f"http://127.0.0.1:{port_base}/v1/status"
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.read().count(b'"role":"access"') >= 3:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"no cluster within {UP_S:g} s")
