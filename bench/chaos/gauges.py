"""What a cluster's processes show while a run goes on: depths, drops, holds, memory."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trio

from bench.cluster import Cluster

EVERY_S = 0.5
ROLES = ("relay", "router", "logic")
"""Those whose metrics are read: an access node may be stopped, and would not answer."""

_LABELS = re.compile(r'(\w+)="([^"]*)"')
_RSS = re.compile(r"VmRSS:\s+(\d+) kB")


class Gauges:
    """Reads them again and again; keeps the first, the highest and the last of each."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self.depths: list[float] = []
        """Records that waited on the bus, or for it, at each reading."""
        self.before_mb: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self.read()
            await trio.sleep(EVERY_S)

    async def read(self) -> None:
        """Read once."""
        for role in ROLES:
            self._last |= await self._cluster.metrics(role)
        self._first = self._first or dict(self._last)
        self.depths.append(self._sum("relaymesh_router_bus_lag", "relaymesh_logic_outgoing_depth"))
        for name, pid in self._cluster.pids().items():
            mb = resident_mb(pid)
            self.before_mb.setdefault(name, mb)
            self.peak_mb[name] = max(mb, self.peak_mb.get(name, 0.0))

    def counted(self, metric: str) -> dict[str, int]:
        """Return by how much each counter called `metric` has grown, by the values of its labels,
        without those that stand still."""
        grown = {
            " ".join(value for _, value in _LABELS.findall(name)): value - self._first.get(name, 0)
            for name, value in self._last.items()
            if name.partition("{")[0] == f"{metric}_total"
        }
        return {labels: int(by) for labels, by in sorted(grown.items()) if by}

    def growth_mb(self) -> float:
        """Return by how much the process that grew most has grown."""
        return max(self.peak_mb[name] - mb for name, mb in self.before_mb.items())

    def memory_mb(self) -> dict[str, Any]:
        """Return each process's memory at the start and at its highest."""
        return {name: [round(mb), round(self.peak_mb[name])] for name, mb in self.before_mb.items()}

    def _sum(self, *metrics: str) -> float:
        return total(self._last, *metrics)


def total(samples: Mapping[str, float], *metrics: str) -> float:
    """Return the sum of all samples of `metrics`, whatever their labels."""
    return sum(value for name, value in samples.items() if name.partition("{")[0] in metrics)


def resident_mb(pid: int) -> float:
    """Return the memory of process `pid` in MB; 0.0 where it has ended."""
    try:
        found = _RSS.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0
