"""The credit of a link, played through by Hypothesis: never over the window, never stuck."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.links.flow import (
    DIALER_WINDOW,
    LISTENER_WINDOW,
    BadMessageError,
    Flow,
    dialer_flow,
    listener_flow,
)


class Side:
    """One end with what is under way to it and what it has not yet consumed."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.under_way: list[bytes] = []
        self.unconsumed = 0
        self.got: list[bytes] = []

    def send(self, other: "Side", batch: bytes) -> bool:
        if not self.flow.open:
            return False
        other.under_way.append(self.flow.pack(batch))
        return True

    def receive(self) -> None:
        if self.under_way:
            batch = self.flow.unpack(self.under_way.pop(0))
            if batch:
                self.got.append(batch)
                self.unconsumed += 1

    def consume(self) -> None:
        if self.unconsumed:
            self.unconsumed -= 1
            self.flow.consume()

    def tell(self, other: "Side") -> None:
        if self.flow.ack_due:
            other.under_way.append(self.flow.pack_ack())


ACTIONS = st.tuples(
    st.sampled_from(["listener", "dialer"]),
    st.sampled_from(["send", "receive", "consume", "tell"]),
)


@given(st.lists(ACTIONS, max_size=200))
def test_no_more_is_under_way_than_nng_holds_and_all_arrives(
    actions: list[tuple[str, str]],
) -> None:
    listener, dialer = Side(listener_flow()), Side(dialer_flow())
    sent: dict[str, list[bytes]] = {"listener": [], "dialer": []}
    for number, (name, action) in enumerate(actions):
        side, other = (listener, dialer) if name == "listener" else (dialer, listener)
        if action == "send" and side.send(other, b"%d" % number):
            sent[name].append(b"%d" % number)
        elif action == "tell":
            side.tell(other)
        elif action in ("receive", "consume"):
            getattr(side, action)()
        assert len(dialer.under_way) <= LISTENER_WINDOW
        assert dialer.flow.in_flight <= DIALER_WINDOW
    _settle(listener, dialer)
    assert (dialer.got, listener.got) == (sent["listener"], sent["dialer"])
    assert listener.flow.open
    assert dialer.flow.open


def _settle(listener: Side, dialer: Side) -> None:
    for _ in range(50):
        for side, other in ((listener, dialer), (dialer, listener)):
            side.receive()
            side.consume()
            side.tell(other)


@pytest.mark.parametrize(
    "message",
    [b"", b"L", b"L\x01", b"L\x02" + bytes(8), b"R\x01" + bytes(8), b"L\x01" + bytes(7) + b"\x01"],
    ids=["empty", "short", "no-count", "other-version", "no-link", "confirms-what-was-not-sent"],
)
def test_what_no_end_of_this_version_sends_is_bad(message: bytes) -> None:
    with pytest.raises(BadMessageError):
        listener_flow().unpack(message)
