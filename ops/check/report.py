"""What a run found: checks with their details, and latencies by priority."""

from dataclasses import dataclass, field
from typing import Any

PRIORITIES = ("urgent", "normal", "bulk")


class CheckFailedError(Exception):
    """A check saw something else than it should have; the message says what."""


def require(condition: object, what: str) -> None:
    """Raise `CheckFailedError(what)` unless `condition` holds."""
    if not condition:
        raise CheckFailedError(what)


@dataclass(frozen=True)
class Check:
    """One thing that was verified."""

    name: str
    ok: bool
    detail: str


@dataclass
class Report:
    """All that a run found; `latencies_ms` are the samples by priority."""

    checks: list[Check] = field(default_factory=list)
    latencies_ms: dict[str, list[float]] = field(
        default_factory=lambda: {priority: [] for priority in PRIORITIES}
    )

    @property
    def ok(self) -> bool:
        """Whether there was a check and none failed."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return `{"ok", "checks": [{"name", "ok", "detail"}], "latency_ms": {...}}`."""
        return {
            "ok": self.ok,
            "checks": [vars(check) for check in self.checks],
            "latency_ms": {
                priority: {"p50": percentile(samples, 50), "p99": percentile(samples, 99)}
                for priority, samples in self.latencies_ms.items()
            },
        }

    def as_table(self) -> str:
        """Return the report for eyes."""
        width = max((len(check.name) for check in self.checks), default=0)
        lines = [
            f"{'ok  ' if check.ok else 'FAIL'}  {check.name.ljust(width)}  {check.detail}"
            for check in self.checks
        ]
        latencies = self.as_json()["latency_ms"]
        for priority in PRIORITIES:
            p50, p99 = latencies[priority]["p50"], latencies[priority]["p99"]
            lines.append(f"      latency, {priority}: p50 {_ms(p50)}, p99 {_ms(p99)}")
        failed = sum(not check.ok for check in self.checks)
        end = f"{failed} of {len(self.checks)} checks failed" if failed else "all is well"
        return "\n".join([*lines, "", end])


def percentile(samples: list[float], percent: float) -> float | None:
    """Return the smallest sample that `percent` of all do not exceed; `None` without samples."""
    if not samples:
        return None
    ordered = sorted(samples)
    rank = max(0, -(-len(ordered) * percent // 100) - 1)
    return round(ordered[int(rank)], 2)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:g} ms"
