"""One run: a rate published for some seconds, and what arrived of it, when and at what cost."""

import statistics
from collections.abc import Sequence

import msgspec

from bench.load.client import LoadClient, Report
from bench.load.target import Published, Target

QUIET_S = 1.0
"""Nothing for so long after the last publishing: what is missing does not come any more."""

SETTLE_LIMIT_S = 20.0


class Run(msgspec.Struct, frozen=True):
    """What one run gave; `cpu_us` is the server's, for each delivery."""

    per_s: float
    deliveries_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    lost: int
    disordered: int
    late_ms: float
    """How late the publisher was at worst: far from 0 it is the publisher that was measured."""
    cpu_share: float
    load_cpu_share: float

    @property
    def whole(self) -> bool:
        """Whether each client got every message, once and in order."""
        return self.lost == 0 and self.disordered == 0


def run(target: Target, client: LoadClient, connections: int, per_s: float, seconds: float) -> Run:
    """Publish `per_s` messages a second for `seconds`, each to all `connections`."""
    client.reset()
    before_s = target.cpu_s()
    published = target.publish(per_s, seconds)
    owed = published.count * connections
    client.wait(owed, QUIET_S, SETTLE_LIMIT_S)
    used_s, report = target.cpu_s() - before_s, client.report()
    return _result(published, report, owed, per_s, used_s)


def _result(published: Published, report: Report, owed: int, per_s: float, cpu_s: float) -> Run:
    return Run(
        per_s=per_s,
        deliveries_per_s=report.per_s,
        p50_ms=report.p50_ms,
        p99_ms=report.p99_ms,
        cpu_us=cpu_s / max(report.deliveries, 1) * 1e6,
        lost=owed - report.deliveries,
        disordered=report.holes + report.doubles,
        late_ms=published.late_ms,
        cpu_share=cpu_s / report.wall_s,
        load_cpu_share=report.cpu_share,
    )


def median(runs: Sequence[Run]) -> Run:
    """Return the median of each figure, but the sum of what was lost or out of order."""
    figures = {
        name: statistics.median(getattr(each, name) for each in runs)
        for name in Run.__struct_fields__
    }
    lost, disordered = sum(each.lost for each in runs), sum(each.disordered for each in runs)
    return Run(**figures | {"lost": lost, "disordered": disordered})
