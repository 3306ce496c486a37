"""The parts of `bench tls`, small and short."""

from pathlib import Path

import pytest

from bench.tls.certificate import write_certificate
from bench.tls.proxy import haproxy
from bench.tls.ways import running


@pytest.mark.cluster_long
def test_each_way_delivers_everything(tmp_path: Path) -> None:
    certificate = tmp_path / "both.pem"
    write_certificate(certificate, "p256")
    with running(certificate, connections=5, cores=None) as parts:
        assert (parts.ways["proxy"] is None) == (haproxy() is None)
        for way in filter(None, parts.ways.values()):
            way.connect(5)
            assert way.rounds(count=3, per_s=100, joined=10).whole
