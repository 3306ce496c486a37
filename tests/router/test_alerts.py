from typing import Any

import pytest

from backends.leases.interface import Lost, RegionNodes
from router.gateway.operations.alerts import alerts
from tests.router.parts import lease

NOW_S = 1_000_000.0
RELAYS = (lease("relay-1", "relay"), lease("relay-2", "relay"))


def found(*leases: Any, lost: tuple[Lost, ...] = (), **elsewhere: Any) -> list[tuple[str, str]]:
    seen = alerts([*RELAYS, *leases], lost, "eu", elsewhere, NOW_S)
    return [(each.alert.removeprefix("Relaymesh"), each.node) for each in seen]


def test_a_cluster_that_is_well_has_no_alert() -> None:
    well = lease("access-1", links=2, ready=True, connections=90, max_connections=100)
    later = {"expires_s": NOW_S + 15 * 86400}
    assert found(well, lease("router-1", "router", lag={"normal": 12}, certificate=later)) == []


@pytest.mark.parametrize(
    ("said", "alert"),
    [
        ({"links": 0}, "NoRelay"),
        ({"links": 1}, "LinksMissing"),
        ({"ready": False}, "NotReady"),
        ({"connections": 91, "max_connections": 100}, "ConnectionsNearLimit"),
        ({"lag": {"normal": 1001}}, "BusLag"),
        ({"certificate": {"expires_s": NOW_S + 13 * 86400}}, "CertificateExpires"),
    ],
)
def test_what_a_node_says_of_itself_may_be_an_alert(said: dict[str, Any], alert: str) -> None:
    assert found(lease("access-1", **said)) == [(alert, "access-1")]


def test_a_node_that_drains_is_not_ready_on_purpose() -> None:
    assert found(lease("access-1", ready=False, draining=True)) == []


def test_what_is_critical_comes_first() -> None:
    lost = Lost(lease("relay-3", "relay"), 12.0)
    there = RegionNodes([lease("access-9", links=3)], [Lost(lease("logic-9", "logic"), 4.0)])
    seen = found(lease("access-1", links=1), lost=(lost,), us=there, asia=None)
    assert seen == [
        ("RegionSilent", ""),
        ("NodeDown", "logic-9"),
        ("NodeDown", "relay-3"),
        ("LinksMissing", "access-1"),
    ]
    (_, down, *_) = alerts(RELAYS, (lost,), "eu", {"asia": None}, NOW_S)
    assert (down.severity, down.summary) == ("critical", "relay-3 has not been heard of for 12 s")
