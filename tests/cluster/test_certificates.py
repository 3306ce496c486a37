"""Certificates on a real cluster: who may not link to its relays, and renewal while people talk."""

import datetime as dt
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from backends.links.diagnosis import diagnose
from backends.tls.credentials import Credentials, load
from backends.tls.files import Files
from ops.certs.folder import Folder
from tests.cluster.conftest import PATIENCE_S, Bystander, Cluster, counts
from tests.cluster.test_bad_neighbours import LINK, NORMAL, hello, is_cut

ALL_DAYS = 700
IMPOSTORS = [
    ("access/mallory", "router", "mallory"),
    ("access/mallory", "probe", "mallory"),
    ("access/*", "logic", "logic-1"),
    ("access/mallory", "access", "access-1"),
    ("router/router-1", "router", "router-2"),
]
"""The certificate that is shown, and who the hello says it is."""


async def test_who_is_not_its_certificates_is_cut(cluster: Cluster, bystander: Bystander) -> None:
    cut = cluster, "relay", "relaymesh_relay_links_cut_total"
    async with counts(*cut, len(IMPOSTORS), reason="bad_certificate"):
        for shown, role, node in IMPOSTORS:
            with cluster.dialed(NORMAL, *shown.split("/")) as socket:
                socket.send(LINK + hello(NORMAL, role, node))
                await is_cut(socket)


def expired(cluster: Cluster) -> Files:
    past = Folder(cluster.state_dir / "certs", lambda: dt.datetime.now(dt.UTC) - dt.timedelta(2))
    return past.issue("access", "late", days=1)


def of_another_cluster(cluster: Cluster) -> Files:
    other = Folder(cluster.state_dir.parent / "other-certs")
    other.init()
    return other.issue("access", "access-1")


@pytest.mark.parametrize("files", [expired, of_another_cluster])
async def test_whose_certificate_is_of_no_use_is_told_so(
    cluster: Cluster, bystander: Bystander, files: Callable[[Cluster], Files]
) -> None:
    own, shown = load(cluster.certificate("access", "mallory")), files(cluster)
    chain, key = Path(shown.cert_file).read_text(), Path(shown.key_file).read_text()
    forged = Credentials(own.name, own.expires_s, own.authorities, chain, key, shown)
    answer = await trio.to_thread.run_sync(diagnose, cluster.lane_url(1, NORMAL), forged)
    assert answer.startswith("it refuses our certificate")


async def test_who_speaks_no_tls_is_cut(cluster: Cluster, bystander: Bystander) -> None:
    port = int(cluster.lane_url(1, NORMAL).rpartition(":")[2])

    def speak() -> bytes:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as peer:
            peer.sendall(b"\0SP\0\0\x11\0\0")
            return peer.recv(64)

    assert b"SP" not in await trio.to_thread.run_sync(speak)


@pytest.mark.cluster_long
async def test_certificates_are_renewed_and_nobody_is_dropped(
    cluster: Cluster, bystander: Bystander
) -> None:
    """Open links stay; a relay that starts again, and all that link to it, use the new ones."""
    before = cluster.record
    folder = str(cluster.state_dir / "certs")
    command = [sys.executable, "-m", "ops", "certs", "renew", "--all", "--dir", folder]
    await trio.run_process(
        [*command, "--days", str(ALL_DAYS)], capture_stdout=True, capture_stderr=True
    )
    after_s = (dt.datetime.now(dt.UTC) + dt.timedelta(days=ALL_DAYS - 1)).timestamp()
    names = [(each["role"], name) for name, each in before.items() if each["role"] != "redis"]
    with trio.fail_after(PATIENCE_S):
        for role, name in names:
            shown = {"certificate": f"{role}/{name}"}
            metric = "relaymesh_certificate_expires_seconds"
            while await cluster.metric(role, metric, **shown) < after_s:
                await trio.sleep(0.1)
    assert cluster.record == before
    assert await cluster.metric("relay", "relaymesh_certificate_failures_total") == 0
    connects = await cluster.metric("access", "relaymesh_mesh_connects_total")
    where = ["--port-base", str(cluster.port_base), "--state-dir", str(cluster.state_dir)]
    drain = [sys.executable, "-m", "ops", "drain", "relay-1", *where]
    await trio.run_process(drain, capture_stdout=True, capture_stderr=True)
    with trio.fail_after(PATIENCE_S):
        while await cluster.metric("access", "relaymesh_mesh_connects_total") < connects + 2:
            await trio.sleep(0.1)
