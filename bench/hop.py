"""`relaymesh bench hop`: what one hop through a relay carries, and what it costs.

A real relay process, one sending node and two receiving nodes (1 in, 2 out), linked by pynng over
the loopback. First a flood of small messages, then single ones at a low rate, by turns through
the relay and over a direct link. Then the same once more over links with certificates. Prints

- `messages_per_s`: messages into the relay, each of which came out twice; `in_per_s`, `out_per_s`;
- `size_bytes`, `batch`, `seconds`: the bytes of a message, how many the sender gathers at a time,
  and how long it sent;
- `sent`, `lost`: messages, and deliveries that were owed and did not come;
- `drops`, `holds`: what the relay dropped, by reason and lane, and how often it pushed back;
- `cpu_us_per_message`: by process (`relay`, `sender`, `receiver-1`, `receiver-2`), for each
  message in;
- `latency_us`: `{"relayed": {"p50", "p99"}, "direct": {"p50", "p99"}}` at 100 messages a second;
- `tls`: of the encrypted links: `messages_per_s`, `lost`, `drops`, `cpu_us_per_message`,
  `latency_us`;
- `ok`: nothing lost, and `messages_per_s`, without TLS, at least `wanted_per_s`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from bench.certificates import NO_TLS, TlsTable, make_certificates
from bench.hop_child import BATCH
from bench.ports import free_port_base

WANTED_PER_S = 250_000
SIZE_BYTES = 200
PROBES = 200
GAP_S = 0.005
SETTLE_S = 0.2
PLAIN: Mapping[str, TlsTable] = dict.fromkeys(("relay", "access", "probe"), NO_TLS)
TLS_FIGURES = ("messages_per_s", "lost", "drops", "cpu_us_per_message", "latency_us")


class Child:
    """A process of the bench, spoken with line by line."""

    def __init__(self, role: str, log: IO[bytes], **arguments: Any) -> None:
        command = [sys.executable, "-m", "bench.hop_child", role, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self._log = log

    def hear(self) -> Any:
        """Return the next thing that the child says; raises `ClickException` when it has died."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return json.loads(line)
        raise click.ClickException(f"a process of the bench ended: {self._last_words()}")

    def ask(self, word: str) -> Any:
        """Say `word` and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.hear()

    def _last_words(self) -> str:
        self.process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip(" |") if lines else f"exit code {self.process.returncode}"

    def stop(self) -> None:
        """Let it end, or end it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@click.command("hop")
@click.option("--seconds", default=4.0, show_default=True, help="How long to flood.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(seconds: float, as_json: bool) -> None:
    """One hop through a relay beside a direct one: messages a second, cost and latency."""
    plain = measure(seconds)
    with tempfile.TemporaryDirectory() as folder:
        tls = make_certificates(Path(folder), *PLAIN)
        result = beside(plain, measure(seconds, tls=tls))
    click.echo(json.dumps(result) if as_json else readable(result))
    sys.exit(0 if result["ok"] else 1)


def beside(plain: dict[str, Any], encrypted: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of links without TLS, with those of encrypted ones in them."""
    tls = {key: encrypted[key] for key in TLS_FIGURES}
    return {**plain, "tls": tls, "ok": plain["ok"] and tls["lost"] == 0}


def measure(
    seconds: float, probes: int = PROBES, tls: Mapping[str, TlsTable] = PLAIN
) -> dict[str, Any]:
    """Run the bench once, with the certificates of `tls` by role, and return its figures as the
    module's description names them."""
    with running(seconds, probes, tls) as children:
        before = {name: child.ask("cpu") for name, child in children.items()}
        sent = children["sender"].ask("flood")
        counts = _settled(children, sent)
        after = {name: child.ask("cpu") for name, child in children.items()}
        relay = children["relay"].ask("status")
        children["sender"].ask("probe")
        probed = children["receiver-1"].ask("figures")
    cpu = {name: round((after[name] - before[name]) / sent * 1e6, 2) for name in children}
    rate = round(sent / max(count["seconds"] for count in counts))
    lost = sum(sent - count["flooded"] for count in counts)
    return {
        "messages_per_s": rate,
        "in_per_s": rate,
        "out_per_s": 2 * rate,
        "wanted_per_s": WANTED_PER_S,
        "size_bytes": SIZE_BYTES,
        "batch": BATCH,
        "seconds": seconds,
        "sent": sent,
        "lost": lost,
        "drops": relay["drops"],
        "holds": relay["holds"],
        "cpu_us_per_message": cpu,
        "latency_us": {way: _quantiles(probed[f"{way}_us"]) for way in ("relayed", "direct")},
        "ok": lost == 0 and rate >= WANTED_PER_S,
    }


@contextmanager
def running(seconds: float, probes: int, tls: Mapping[str, TlsTable]) -> Iterator[dict[str, Child]]:
    """Start a relay, two receivers and a sender; they end with the block."""
    lanes = partial(free_lanes, "tls+tcp" if tls["relay"] else "tcp")
    listen, direct = lanes(), lanes().split(",")[0]
    flood = {"size": SIZE_BYTES, "seconds": seconds, "probes": probes, "gap_s": GAP_S}
    with tempfile.TemporaryFile() as log, ExitStack() as stack:
        children: dict[str, Child] = {}

        def start(child: str, role: str, **arguments: Any) -> None:
            children[child] = Child(role, log, listen=listen, **arguments)
            stack.callback(children[child].stop)

        start("relay", "relay", tls=tls["relay"])
        # Who is dialled directly has to look like a relay to its dialer.
        receiver = {"tls": tls["access"], "direct_tls": tls["relay"]}
        start("receiver-1", "receiver", name="access-1", direct=direct, **receiver)
        start("receiver-2", "receiver", name="access-2", direct="", **receiver)
        start("sender", "sender", direct=direct, tls=tls["probe"], **flood)
        for child in children.values():
            child.hear()
        yield children


def _settled(children: dict[str, Child], sent: int) -> list[dict[str, Any]]:
    """Return the receivers' figures once nothing more comes: all of it, or no longer changing."""
    counts: list[dict[str, Any]] = []
    while True:
        before = [count["flooded"] for count in counts]
        counts = [children[f"receiver-{number}"].ask("figures") for number in (1, 2)]
        flooded = [count["flooded"] for count in counts]
        if flooded == [sent, sent] or flooded == before:
            return counts
        time.sleep(SETTLE_S)


def readable(result: dict[str, Any]) -> str:
    """Return the figures as lines for eyes."""
    ways = {"plain": result, "tls": result["tls"]}
    lines = (f"{name:<5}  {line}" for name, of in ways.items() for line in _lines(of))
    return "\n".join((*lines, f"{result['size_bytes']} B, batches of {result['batch']}"))


def _lines(result: dict[str, Any]) -> list[str]:
    cpu = " · ".join(f"{name} {us}" for name, us in result["cpu_us_per_message"].items())
    latency = " · ".join(
        f"{way} p50 {of['p50']} µs, p99 {of['p99']} µs" for way, of in result["latency_us"].items()
    )
    return [
        f"{result['messages_per_s']:,} messages/s in, each twice out, {result['lost']} lost, "
        f"drops {result['drops']}",
        f"CPU µs a message: {cpu}",
        f"latency: {latency}",
    ]


def _quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


def free_lanes(scheme: str) -> str:
    """Return the addresses of a relay's lanes, at free ports."""
    first = free_port_base(3)
    return ",".join(f"{scheme}://127.0.0.1:{port}" for port in range(first, first + 3))
