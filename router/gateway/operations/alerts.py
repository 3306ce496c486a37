"""What somebody should look at now: rules over the leases, for `relaymesh status` and the console.

They are the part of `deploy/prometheus/alerts.yml` that one look can tell, under the same names;
what needs a history (rates, latencies) is Prometheus' alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from backends.leases.interface import Lost, NodeLease, RegionNodes
from router.gateway.balance import count_of, is_ready

CRITICAL, WARNING = "critical", "warning"

FULL_SHARE = 0.9
"""Of `max_connections`, from where on a node counts as nearly full."""

BUS_LAG = 1000
"""Records of one topic: a second's worth at the rate that a small cluster takes."""

EXPIRES_S = 14 * 86400
"""Two weeks: time for a renewal that somebody has to do by hand."""


class Alert(msgspec.Struct, frozen=True):
    """One thing to look at: `alert` is the rule's name, `node` whom it is about ("": a region)."""

    alert: str
    severity: str
    region: str
    node: str
    summary: str


def alerts(
    leases: Sequence[NodeLease],
    lost: Sequence[Lost],
    region: str,
    elsewhere: Mapping[str, RegionNodes | None],
    now_s: float,
) -> list[Alert]:
    """Return what there is to look at in all regions at `now_s` (Unix time), what is critical
    first."""
    here = [(region, RegionNodes(leases, lost)), *elsewhere.items()]
    found = [alert for name, nodes in here for alert in _region(name, nodes, now_s)]
    return sorted(found, key=lambda each: (each.severity != CRITICAL, each.region, each.node))


def _region(region: str, nodes: RegionNodes | None, now_s: float) -> Iterator[Alert]:
    if nodes is None:
        text = f"region {region} does not answer"
        yield Alert("RelaymeshRegionSilent", CRITICAL, region, "", text)
        return
    yield from map(_lost, nodes.lost)
    relays = sum(lease.role == "relay" for lease in nodes.living)
    for lease in nodes.living:
        for name, severity, text in _node(lease, relays, now_s):
            yield Alert(name, severity, lease.region, lease.node, f"{lease.node} {text}")


def _lost(lost: Lost) -> Alert:
    lease, silent_s = lost
    text = f"{lease.node} has not been heard of for {silent_s:.0f} s"
    return Alert("RelaymeshNodeDown", CRITICAL, lease.region, lease.node, text)


def _node(lease: NodeLease, relays: int, now_s: float) -> Iterator[tuple[str, str, str]]:
    if lease.role != "relay":
        yield from _links(count_of(lease, "links") if "links" in lease.status else relays, relays)
    if not lease.status.get("draining") and not is_ready(lease):
        yield "RelaymeshNotReady", WARNING, "is not ready"
    if count_of(lease, "connections") > FULL_SHARE * (count_of(lease, "max_connections") or 1e9):
        yield "RelaymeshConnectionsNearLimit", WARNING, "has few places left for clients"
    for topic, lag in _numbers(lease, "lag"):
        if lag > BUS_LAG:
            yield "RelaymeshBusLag", WARNING, f"sees {lag:.0f} records waiting on the bus ({topic})"
    for name, value in _numbers(lease, "certificate"):
        if name == "expires_s" and value - now_s < EXPIRES_S:
            text = f"has a certificate that expires in {(value - now_s) / 86400:.1f} days"
            yield "RelaymeshCertificateExpires", WARNING, text


def _links(links: int, relays: int) -> Iterator[tuple[str, str, str]]:
    if not links:
        yield "RelaymeshNoRelay", CRITICAL, "has no link to any relay"
    elif links < relays:
        yield "RelaymeshLinksMissing", WARNING, f"has links to {links} of {relays} relays"


def _numbers(lease: NodeLease, key: str) -> Iterable[tuple[str, float]]:
    table = lease.status.get(key)
    pairs = table.items() if isinstance(table, dict) else ()
    return [(name, value) for name, value in pairs if isinstance(value, int | float)]
