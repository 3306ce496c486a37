"""Who takes part in a run: a visitor on every node, and a host."""

from dataclasses import dataclass

import trio

from ops.check.cluster import Gateway, Receipts, Tokens
from ops.check.report import Report
from ops.check.visitor import Visitor
from relaymesh_client import Published


@dataclass
class Stage:
    """The room of a run and everybody in it; `viewers` has one visitor a node."""

    gateway: Gateway
    tokens: Tokens
    receipts: Receipts
    room: str
    nodes: dict[str, str]
    """Access nodes with their URLs."""
    viewers: list[Visitor]
    host: Visitor
    report: Report

    @property
    def everybody(self) -> list[Visitor]:
        """Every visitor that stays for the whole run."""
        return [*self.viewers, self.host]

    @property
    def far(self) -> tuple[Visitor, Visitor]:
        """Two visitors on different nodes (on the same one where the cluster has only one)."""
        return self.viewers[0], self.viewers[-1] if len(self.viewers) > 1 else self.host

    async def reaches_all(self, sent: Published, sent_at: float) -> None:
        """Wait until everybody has message `sent`, and note how long it took each."""
        for each in self.everybody:
            await each.message(sent.mid)
            took_ms = (each.arrived[sent.mid] - sent_at) * 1000
            self.report.latencies_ms[sent.priority].append(took_ms)


def now() -> float:
    """Return the clock that arrivals are noted with, in seconds."""
    return trio.current_time()
