"""Who asks for ports for a cluster gets some that are free, and nobody else gets them."""

import socket
from collections import deque
from collections.abc import Iterator

import pytest

from bench import ports
from bench.ports import FIRST, HOST, PORT_SPAN, NoFreePortsError, free_port_base

CLAIMS = 11_400
"""Not where clusters of other tests, which run beside this one, have their claims."""


@pytest.fixture(autouse=True)
def own_claims(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The claims that the test makes end with it."""
    made: deque = deque()
    monkeypatch.setattr(ports, "CLAIMS", CLAIMS)
    monkeypatch.setattr(ports, "_held", made)
    yield
    for claims in made:
        claims.close()


def cells(base: int, span: int = PORT_SPAN) -> set[int]:
    return {(port - FIRST) // PORT_SPAN for port in range(base, base + span)}


def test_nobody_gets_what_another_has_just_got() -> None:
    first, second = cells(free_port_base()), cells(free_port_base(2 * PORT_SPAN), 2 * PORT_SPAN)
    assert (len(first), len(second)) == (1, 2)
    assert not first & second
    for cell in first | second:  # as another process finds them
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((HOST, CLAIMS + cell))


def test_claims_end_when_as_many_clusters_as_are_held_have_come_after() -> None:
    (early,) = cells(free_port_base())
    for _ in range(ports.HELD):
        free_port_base(1)
    with socket.socket() as other:
        other.bind((HOST, CLAIMS + early))


def test_where_a_port_is_in_use_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    base = free_port_base()
    monkeypatch.setattr(ports, "FIRST", base)
    monkeypatch.setattr(ports, "CELLS", 1)
    monkeypatch.setattr(ports, "CLAIMS", CLAIMS + 200)
    taken = socket.create_server((HOST, base + PORT_SPAN - 1))
    with taken, pytest.raises(NoFreePortsError, match="no 120 free ports"):
        free_port_base()
    assert free_port_base() == base
