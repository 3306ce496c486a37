"""The ways that are compared: the processes of each, its clients, and what they have used."""

import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.load.child import Child, Cores
from bench.tls.crowd import Crowd
from bench.tls.proxy import haproxy, start


class Turn(NamedTuple):
    """What a series of rounds took."""

    cpu_us_per_delivery: float
    whole: bool
    """Whether all was written at once and came."""


class Way:
    """The processes that serve the clients of one way; the first is the node."""

    def __init__(self, processes: Sequence[Child], port: int, trust: ssl.SSLContext | None) -> None:
        self.crowd = Crowd(port, trust)
        self.kb_per_connection = 0.0
        self.connects_per_cpu_s = 0.0
        self._processes = processes

    def connect(self, count: int) -> None:
        """Let the clients connect; sets the two figures of that."""
        kb, cpu_s = self._rss_kb(), self._cpu_s()
        self.crowd.connect(count)
        self.crowd.settle()
        self.kb_per_connection = (self._rss_kb() - kb) / count
        self.connects_per_cpu_s = count / max(self._cpu_s() - cpu_s, 1e-9)

    def rounds(self, count: int, per_s: float, joined: int) -> Turn:
        """Have the node write rounds to all its clients."""
        came, cpu_s = self.crowd.received_bytes, self._cpu_s()
        wrote = self._processes[0].ask(f"{count} {per_s} {joined}")
        self.crowd.settle()
        used_us = (self._cpu_s() - cpu_s) * 1e6
        whole = self.crowd.received_bytes - came >= wrote["bytes"] and not wrote["stalls"]
        return Turn(used_us / wrote["deliveries"], whole)

    def _cpu_s(self) -> float:
        return sum(process.cpu_s() for process in self._processes)

    def _rss_kb(self) -> float:
        return sum(process.rss_kb() for process in self._processes)


class Parts(NamedTuple):
    """All ways, and how the plain node writes."""

    ways: dict[str, Way | None]
    write_path: str


@contextmanager
def running(certificate: Path, connections: int, cores: Cores) -> Iterator[Parts]:
    """Run all processes on `cores`; `certificate` holds a key too, and who trusts it is itself."""
    trust = ssl.create_default_context(cafile=str(certificate))
    with ExitStack() as stack:
        plain, plain_port, path = _node(stack, cores)
        secure, secure_port, _ = _node(stack, cores, str(certificate))
        ways: dict[str, Way | None] = {
            "plain": Way([plain], plain_port, None),
            "node": Way([secure], secure_port, trust),
            "proxy": None,
        }
        program = haproxy()
        if program is not None:
            behind, behind_port, _ = _node(stack, cores)
            proxy, port = start(program, certificate, behind_port, connections, cores)
            stack.callback(proxy.stop)
            ways["proxy"] = Way([behind, proxy], port, trust)
        for way in filter(None, ways.values()):
            stack.callback(way.crowd.end)
        yield Parts(ways, path)


def _node(stack: ExitStack, cores: Cores, *arguments: str) -> tuple[Child, int, str]:
    child = Child("the edge", [sys.executable, "-m", "bench.tls.host", *arguments], cores)
    stack.callback(child.stop)
    said: dict[str, Any] = child.hear()
    return child, said["port"], said["write_path"]
