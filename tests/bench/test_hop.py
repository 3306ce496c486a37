"""The bench of one hop, run briefly: real processes, real links; speed is no matter here."""

from pathlib import Path

import pytest

import bench.hop
from bench.certificates import make_certificates


@pytest.mark.cluster_long
def test_nothing_is_lost_and_every_documented_figure_is_there(tmp_path: Path) -> None:
    tls = make_certificates(tmp_path, *bench.hop.PLAIN)
    encrypted = bench.hop.measure(0.2, probes=20, tls=tls)
    result = bench.hop.beside(bench.hop.measure(0.2, probes=20), encrypted)
    assert result["sent"] > 0
    assert (result["lost"], result["drops"]) == (0, {})
    assert result["out_per_s"] == 2 * result["in_per_s"] > 0
    assert all(us > 0 for us in result["cpu_us_per_message"].values())
    assert all(of["p99"] >= of["p50"] > 0 for of in result["latency_us"].values())
    assert result["tls"]["lost"] == 0
    assert result["tls"]["messages_per_s"] > 0
    assert all(f"`{key}`" in str(bench.hop.__doc__) for key in result if key != "wanted_per_s")
