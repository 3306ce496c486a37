"""The certificate of the TLS edge, and files that are replaced while it runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
from cryptography import x509
from prometheus_client import CollectorRegistry

from access.edge.tls.channel import TlsChannels
from access.edge.tls.metrics import TlsCollector
from access.edge.tls.renewal import LOOK_S, Renewal
from proto.priorities import Priority
from tests.access.edge.by_hand import ByHand, masked, one_frame
from tests.access.edge.conftest import Files

NORMAL = Priority.NORMAL


@pytest.fixture
def renewal(tls_files: Files) -> Renewal:
    return Renewal(str(tls_files.cert), str(tls_files.key))


@pytest.fixture
def run_renewed_edge(run_tls_edge: Callable[..., Any], renewal: Renewal) -> Callable[..., Any]:
    return lambda: run_tls_edge(open_channel=TlsChannels(renewal.context))


def shown(stream: Any) -> bytes:
    """The certificate that the node showed to this client."""
    certificate: bytes = stream.getpeercert(binary_form=True)
    return certificate


async def test_new_connections_get_the_new_certificate_and_open_ones_stay(
    run_renewed_edge: Callable[..., Any], renewal: Renewal, tls_files: Files
) -> None:
    async with run_renewed_edge() as edge:
        edge.recorder.on_text = lambda connection, text: connection.send(text, NORMAL)
        old = await edge.upgraded()
        half = ByHand(await edge.tcp(), edge.trust)
        await half.stream.send_all(half.hello())
        await half.finish()
        tls_files.renew()
        await renewal.look()
        new = await edge.upgraded()
        assert shown(new) != shown(old)
        await half.upgrade()
        for stream in (old, new):
            await stream.send_all(masked(b"[1]"))
            assert await one_frame(stream) == b"[1]"
        await renewal.look()
        assert shown(await edge.upgraded()) == shown(new)


@pytest.mark.parametrize("name", ["cert", "key"])
@pytest.mark.parametrize("content", [None, b"", b"nonsense"], ids=["gone", "empty", "nonsense"])
async def test_a_broken_file_is_named_and_the_old_certificate_stays(
    renewal: Renewal, tls_files: Files, name: str, content: bytes | None
) -> None:
    file: Path = getattr(tls_files, name)
    before, kept = renewal.current, file.read_bytes()
    file.unlink() if content is None else file.write_bytes(content)
    with structlog.testing.capture_logs() as logs:
        await renewal.look()
        await renewal.look()
    assert [(each["event"], each["log_level"]) for each in logs] == [
        ("certificate_refused", "error")
    ], "told once, not each minute"
    assert logs[0]["reason"].startswith(f"tls_{name}: ")
    assert str(file) in logs[0]["reason"]
    assert renewal.current is before
    assert samples(renewal)["relaymesh_edge_tls_certificate_failures_total"] == 1
    file.write_bytes(kept)
    await renewal.look()
    assert renewal.current is not before


def samples(renewal: Renewal) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(TlsCollector(renewal))
    return {each.name: each.value for family in registry.collect() for each in family.samples}


async def test_a_scrape_shows_when_the_certificate_ends(renewal: Renewal, tls_files: Files) -> None:
    leaf = x509.load_pem_x509_certificate(tls_files.cert.read_bytes())
    expires_s = samples(renewal)["relaymesh_edge_tls_certificate_expiry_seconds"]
    assert expires_s == leaf.not_valid_after_utc.timestamp()


async def test_files_are_looked_at_each_minute(
    renewal: Renewal, tls_files: Files, nursery: trio.Nursery, autojump_clock: Any
) -> None:
    before = renewal.current
    nursery.start_soon(renewal.run)
    await trio.sleep(LOOK_S + 1)
    assert renewal.current is before
    tls_files.renew()
    with trio.fail_after(1e6):  # the clock runs while a thread reads the files
        while renewal.current is before:
            await trio.sleep(LOOK_S)


async def test_a_reload_of_the_config_loads_at_once(
    renewal: Renewal, tls_files: Files, nursery: trio.Nursery
) -> None:
    before = renewal.current
    nursery.start_soon(renewal.run)
    await trio.testing.wait_all_tasks_blocked()
    tls_files.renew()
    renewal.ask()
    with trio.fail_after(5):
        while renewal.current is before:
            await trio.sleep(0)
