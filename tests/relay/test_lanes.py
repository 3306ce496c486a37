from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mesh.batching import BATCH_BYTES, LINGER_S
from proto.envelopes import BATCH_START
from proto.priorities import Priority
from relay.lanes import STALLED_S, LaneTraffic, PeerLane

LIMIT = 100


class FakeLink:
    """A link whose window the test opens and closes."""

    def __init__(self) -> None:
        self.name = "peer"
        self.sendable = True
        self.batches: list[bytes] = []

    def send(self, batch: bytes) -> None:
        assert self.sendable
        self.batches.append(batch)

    def send_control(self, batch: bytes) -> bool:
        return False

    def consumed(self) -> None:
        return

    def close(self) -> None:
        self.sendable = False


def lane(priority: Priority, limit: int = LIMIT) -> tuple[PeerLane, FakeLink, Counter[object]]:
    link, drops = FakeLink(), Counter[tuple[str, Priority]]()
    return PeerLane(priority, link, limit, LaneTraffic(), drops), link, Counter(drops)


def gather(one: PeerLane, envelopes: list[bytes], now: float = 0.0) -> None:
    one.gathered.extend(envelopes)
    one.absorb(now)


def numbered(sizes: list[int]) -> list[bytes]:
    return [b"%03d" % number + b"x" * size for number, size in enumerate(sizes)]


@given(
    st.sampled_from(Priority),
    st.lists(st.lists(st.integers(0, 40), max_size=5), max_size=20),
    st.sets(st.integers(0, 19)),
)
def test_what_is_not_counted_as_dropped_goes_out_in_order(
    priority: Priority, batches: list[list[int]], opened: set[int]
) -> None:
    link, drops = FakeLink(), Counter[tuple[str, Priority]]()
    one = PeerLane(priority, link, LIMIT, LaneTraffic(), drops)
    number, sent = 0, []
    for step, sizes in enumerate(batches):
        link.sendable = step in opened
        envelopes = [b"%03d" % (number + i) + b"x" * size for i, size in enumerate(sizes)]
        number += len(envelopes)
        sent += envelopes
        gather(one, envelopes)
        assert one.depth_bytes <= LIMIT
    link.sendable = True
    one.flush(1.0)
    out = b"".join(batch.removeprefix(BATCH_START) for batch in link.batches)
    kept = [envelope for envelope in sent if envelope in _split(out)]
    assert b"".join(kept) == out
    assert drops.total() == len(sent) - len(kept)
    assert (one.depth, one.depth_bytes) == (0, 0)


def _split(out: bytes) -> set[bytes]:
    text, found = out.decode(), set()
    while text:
        rest = text[3:].lstrip("x")
        found.add(text[: len(text) - len(rest)].encode())
        text = rest
    return found


def test_full_bulk_keeps_the_newest_and_full_normal_the_oldest() -> None:
    for priority, kept in ((Priority.BULK, 2), (Priority.NORMAL, 0)):
        link, drops = FakeLink(), Counter[tuple[str, Priority]]()
        one = PeerLane(priority, link, 20, LaneTraffic(), drops)
        link.sendable = False
        gather(one, numbered([7, 7, 7, 7]))
        link.sendable = True
        one.flush(0.0)
        assert link.batches[0].startswith(BATCH_START + b"%03d" % kept)
        assert drops == {("lane_full", priority): 2}


def test_an_idle_lane_sends_at_once_and_a_busy_one_in_large_batches() -> None:
    one, link, _ = lane(Priority.NORMAL, 10 * BATCH_BYTES)
    gather(one, [b"first"])
    assert link.batches == [BATCH_START + b"first"]
    link.sendable = False
    for _ in range(100):
        gather(one, [b"x" * 5000])
    link.sendable = True
    one.flush(0.0)
    sizes = [len(batch) for batch in link.batches[1:]]
    assert len(sizes) == 4
    assert max(sizes) <= BATCH_BYTES + len(BATCH_START)


def test_a_busy_lane_lingers_but_an_urgent_one_never() -> None:
    for priority, at_once in ((Priority.URGENT, 3), (Priority.NORMAL, 1), (Priority.BULK, 1)):
        one, link, _ = lane(priority)
        assert one.flush(0.0)
        gather(one, [b"a"])
        gather(one, [b"b"])
        gather(one, [b"c"])
        assert len(link.batches) == at_once
        assert one.flush(0.001) is (priority is Priority.URGENT)
        assert one.flush(LINGER_S[priority])
        assert b"".join(batch.removeprefix(BATCH_START) for batch in link.batches) == b"abc"


def test_a_lane_is_behind_only_while_it_moves() -> None:
    one, link, _ = lane(Priority.NORMAL)
    link.sendable = False
    gather(one, [b"x" * 60], now=0.1)
    assert one.behind(0.2)
    assert not one.behind(0.2 + STALLED_S)


def test_a_full_lane_says_since_when_until_half_of_it_is_gone() -> None:
    one, link, _ = lane(Priority.URGENT)
    link.sendable = False
    gather(one, [b"x" * 60, b"y" * 60], now=3.0)
    gather(one, [b"z" * 60], now=4.0)
    assert one.full_since == 3.0
    link.sendable = True
    one.flush(5.0)
    assert one.full_since is None


def test_control_goes_before_what_waits() -> None:
    one, link, _ = lane(Priority.NORMAL)
    link.sendable = False
    gather(one, [b"message"])
    one.control(b"pong")
    link.sendable = True
    one.flush(0.0)
    assert link.batches == [BATCH_START + b"pongmessage"]
