"""The dashboard and the alert rules, held against the `/metrics` of a running cluster."""

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.conftest import Cluster
from tests.deploy.expressions import OF_PROMETHEUS, OF_TARGETS, Selected, expressions, selected

SELDOM = {
    "relaymesh_access_drops_total": {"reason", "priority"},
    "relaymesh_access_errors_total": {"code"},
    "relaymesh_edge_closes_total": {"code"},
    "relaymesh_edge_handshake_errors_total": {"reason"},
    "relaymesh_gateway_calls_total": {"operation"},
    "relaymesh_gateway_errors_total": {"code"},
    "relaymesh_heat_transitions_total": {"from", "to", "reason"},
    "relaymesh_logic_notifications_failed_total": {"provider", "verdict", "reason"},
    "relaymesh_logic_notifications_sent_total": {"provider"},
    "relaymesh_logic_published_total": {"kind", "priority"},
    "relaymesh_mesh_drops_total": {"reason", "priority"},
    "relaymesh_relay_drops_total": {"reason", "priority"},
    "relaymesh_relay_links_cut_total": {"reason"},
}
"""Families that every cluster has, and no series of before something has happened."""

ELSEWHERE = {
    # Only with regions, with TLS: `tests/deploy/test_optional.py` has them of their collectors.
    "relaymesh_relay_region_up": {"region"},
    "relaymesh_relay_region_relays": {"region"},
    "relaymesh_relay_region_envelopes_total": {"region", "priority", "way"},
    "relaymesh_edge_tls_certificate_expiry_seconds": set[str](),
}


async def test_each_expression_names_series_and_labels_that_a_cluster_has(cluster: Cluster) -> None:
    addresses = [each["http"] for each in cluster.record.values() if each["role"] != "redis"]
    texts = [(await cluster.http("GET", f"{address}/metrics"))[1] for address in addresses]
    known = labels_of(text.decode() for text in texts)
    wanted = [each for one in expressions() for each in selected(*one)]
    assert unknown(wanted, known) == []
    missing = {name for name in SELDOM if name not in known}
    assert missing == set(), "families of these names are gone"


def labels_of(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return the labels of each series, and the names of families without any."""
    known: dict[str, set[str]] = defaultdict(set)
    for family in (family for text in texts for family in text_string_to_metric_families(text)):
        known[f"{family.name}_total" if family.type == "counter" else family.name] |= set()
        for sample in family.samples:
            known[sample.name] |= set(sample.labels)
    return known


def unknown(wanted: Iterable[Selected], known: dict[str, set[str]]) -> list[str]:
    """Return what is wanted and there is not."""
    found = []
    for where, name, labels in wanted:
        there = known.get(name, ELSEWHERE.get(name))
        if name in OF_PROMETHEUS:
            there = set()
        if there is None:
            found.append(f"{where}: there is no {name}")
        elif rest := labels - there - SELDOM.get(name, set()) - OF_TARGETS:
            found.append(f"{where}: {name} has no label {', '.join(sorted(rest))}")
    return found


def test_a_name_or_label_that_there_is_not_is_found() -> None:
    known = {"a_total": {"code"}}
    wanted = [
        Selected("here", "a_total", frozenset(("code", "job"))),
        Selected("there", "a_total", frozenset(("reason",))),
        Selected("nowhere", "b_total", frozenset()),
    ]
    assert unknown(wanted, known) == [
        "there: a_total has no label reason",
        "nowhere: there is no b_total",
    ]
