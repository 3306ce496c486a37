"""Series that a cluster of one region without TLS does not have, as their collectors show them."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from access.edge.tls.metrics import TlsCollector
from mesh.lane import Traffic
from proto.priorities import Priority
from relay.lanes import LaneTraffic
from relay.regions.figures import RegionCollector
from tests.cluster.test_dashboards import ELSEWHERE, labels_of


def region_collector() -> Any:
    link = SimpleNamespace(
        region="us", dialled=2, interest=0, up={}, drops={}, traffic=[Traffic() for _ in Priority]
    )
    neighbours = SimpleNamespace(answering=lambda _: {"us-1"}, wanted=lambda _: 0)
    came = {("us", priority): 0 for priority in Priority}
    crossing = SimpleNamespace(neighbours=neighbours, requests={"us": 0}, came=came)
    arrivals = {"us": [LaneTraffic() for _ in Priority]}
    return RegionCollector({"us": link}, crossing, arrivals)  # type: ignore[dict-item,arg-type]


def tls_collector() -> Any:
    renewal = SimpleNamespace(current=SimpleNamespace(expires_s=1.0), failures=0)
    return TlsCollector(renewal)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [region_collector, tls_collector])
def test_what_is_optional_is_named_and_labelled_as_the_dashboard_takes_it(make: Any) -> None:
    registry = CollectorRegistry()
    registry.register(make())
    known = labels_of([generate_latest(registry).decode()])
    named = known.keys() & ELSEWHERE.keys()
    assert len(named) >= 1
    for name in named:
        assert known[name] == ELSEWHERE[name]
