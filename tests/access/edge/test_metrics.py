"""What a scrape shows of an edge that has worked."""

from typing import Any

import trio
from prometheus_client import CollectorRegistry, generate_latest

from access.edge.interface import Batch
from access.edge.metrics import EdgeCollector, RoundTimes
from proto.priorities import Priority


async def test_a_scrape_shows_what_happened(run_edge: Any) -> None:
    times = RoundTimes()
    async with run_edge(observe=times) as edge:
        audience, done = edge.server.audience(), trio.Event()
        edge.recorder.on_opened = audience.add
        stream, stranger = await edge.upgraded(), await edge.raw()
        edge.server.broadcast(audience, Batch(b"[1]", Priority.URGENT, "r", "e", 1, 3, done.set))
        await done.wait()
        await stream.receive_some()
        await stranger.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await stranger.receive_some()
        registry = CollectorRegistry()
        registry.register(EdgeCollector(edge.server, times))
        lines = generate_latest(registry).decode().splitlines()
    for line in (
        "relaymesh_edge_connections 1.0",
        "relaymesh_edge_opened_total 1.0",
        'relaymesh_edge_deliveries_total{priority="urgent"} 3.0',
        'relaymesh_edge_rounds_total{priority="urgent"} 1.0',
        'relaymesh_edge_round_seconds_count{priority="urgent"} 1.0',
        'relaymesh_edge_handshake_errors_total{reason="path"} 1.0',
        'relaymesh_edge_rounds_waiting{priority="bulk"} 0.0',
        "relaymesh_edge_queued_bytes 0.0",
    ):
        assert line in lines
