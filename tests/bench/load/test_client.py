"""The load client against a server that says exactly what a test wants it to have seen."""

import socket
import threading
from collections.abc import Iterator

import click
import pytest

from bench.load.client import LoadClient, load_client
from bench.load.payload import PAYLOAD_BYTES, payload
from bench.load.script import Script, Step

SCRIPT: Script = [Step(b"hello\n", b"welcome\n"), Step(b"join\n", b"joined\n")]


class Server:
    """Accepts one connection after the other; the test speaks through them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[socket.socket] = []

    def welcome(self, count: int) -> threading.Thread:
        """Answer the scripts of `count` connections in the background."""
        thread = threading.Thread(target=self._welcome, args=(count,))
        thread.start()
        return thread

    def refuse(self) -> threading.Thread:
        """Answer one connection with a refusal, and end it."""
        thread = threading.Thread(target=self._refuse)
        thread.start()
        return thread

    def say(self, *parts: bytes) -> None:
        for connection in self.connections:
            for part in parts:
                connection.sendall(part)

    def close(self) -> None:
        for each in (self._listener, *self.connections):
            each.close()

    def _accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.append(connection)
        return connection

    def _welcome(self, count: int) -> None:
        for _ in range(count):
            connection = self._accept()
            for asked, answer in ((b"hello\n", b"welcome\n"), (b"join\n", b"joined\n")):
                assert connection.recv(100) == asked
                connection.sendall(answer)

    def _refuse(self) -> None:
        connection = self._accept()
        connection.recv(100)
        connection.sendall(b"go away\n")
        connection.shutdown(socket.SHUT_WR)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client() -> Iterator[LoadClient]:
    with load_client(None) as client:
        yield client


def opened(server: Server, client: LoadClient, count: int) -> None:
    thread = server.welcome(count)
    assert client.connect(server.port, [SCRIPT] * count).opened == count
    thread.join()
    client.reset()


def test_each_delivery_is_counted_wherever_reads_cut_it(server, client) -> None:
    opened(server, client, 2)
    message = payload(7)
    assert len(message) == PAYLOAD_BYTES
    whole = b"".join(payload(number) for number in range(7)) + message
    server.say(*(whole[at : at + 13] for at in range(0, len(whole), 13)))
    client.wait(16, 5, 5)
    report = client.report()
    assert (report.deliveries, report.holes, report.doubles) == (16, 0, 0)
    assert report.bytes == 2 * len(whole)


def test_gaps_and_doubles_are_told_apart(server, client) -> None:
    opened(server, client, 1)
    server.say(*(payload(number) for number in (1, 2, 5, 5, 6, 3, 7)))
    client.wait(7, 5, 5)
    report = client.report()
    assert (report.deliveries, report.holes, report.doubles) == (7, 2, 2)


def test_latency_runs_from_the_stamp_in_the_payload(server, client) -> None:
    opened(server, client, 1)
    hour_ago_ns = 1
    server.say(payload(1), payload(2), payload(3, hour_ago_ns))
    client.wait(3, 5, 5)
    report = client.report()
    assert report.p50_ms < report.p99_ms
    assert report.max_ms > report.p50_ms
    assert report.first_published_ns == hour_ago_ns


def test_what_only_looks_like_a_marker_is_no_delivery(server, client) -> None:
    opened(server, client, 1)
    server.say(b"@" * 50, b"@123@", b"@" + b"9" * 26 + b"x@", payload(1))
    client.wait(1, 5, 5)
    assert client.report().deliveries == 1


def test_a_pattern_is_counted_once_wherever_reads_cut_it(server, client) -> None:
    opened(server, client, 1)
    client.count(b"counted")
    server.say(b"count", b"ed, coun", b"ted", payload(1))
    client.wait(1, 5, 5)
    assert client.report().matches == 2


def test_a_connection_may_stay_unread_and_be_read_later(server, client) -> None:
    opened(server, client, 2)
    client.stop_reading(1)
    server.say(payload(1))
    client.wait(2, 0.1, 5)
    assert client.report().deliveries == 1
    client.resume_reading()
    client.wait(2, 5, 5)
    assert client.report().deliveries == 2


def test_what_it_says_goes_out_in_turn(server, client) -> None:
    opened(server, client, 2)
    assert client.say(b"ping", 10_000, 6) == 6
    assert [connection.recv(100) for connection in server.connections] == [b"ping" * 3] * 2


def test_a_refusal_says_what_the_server_said(server, client) -> None:
    thread = server.refuse()
    with pytest.raises(click.ClickException, match=r"1 of 1 connections were refused.*go away"):
        client.connect(server.port, [SCRIPT])
    thread.join()


def test_a_connection_that_ends_is_counted(server, client) -> None:
    opened(server, client, 2)
    server.connections[0].shutdown(socket.SHUT_WR)
    server.connections[1].sendall(payload(1))
    client.wait(1, 5, 5)
    report = client.report()
    assert (report.open, report.lost_connections) == (1, 1)
