import pytest

from access.joiner import MAX_REST_S, Joiner
from access.stream import Output, Ready, Reset, Skip


def joiner(rest_ratio: float = 3.0, **bounds: int) -> Joiner:
    limits = {"max_pending": 100, "max_pending_bytes": 10_000, "max_round_bytes": 1000, **bounds}
    return Joiner(0.02, rest_ratio=rest_ratio, **limits)


def ready(*seqs: int, epoch: str = "a", size: int = 10) -> list[Output]:
    return [Ready(epoch, seq, b"x" * size, None) for seq in seqs]


def test_an_idle_stream_is_due_at_once_and_then_after_a_tick() -> None:
    stream = joiner()
    stream.add(ready(1))
    assert stream.due_at() == float("-inf")
    assert stream.take(1.0) == ready(1)
    stream.add(ready(2, 3))
    assert stream.due_at() is None
    stream.done(1.001)
    assert stream.due_at() == 1.02
    assert stream.take(1.02) == ready(2, 3)


def test_a_long_round_makes_the_next_one_wait_longer_up_to_a_bound() -> None:
    stream = joiner()
    for took, rest in ((0.01, 0.03), (10.0, MAX_REST_S)):
        stream.add(ready(1))
        stream.take(5.0)
        stream.done(5.0 + took)
        stream.add(ready(2))
        assert stream.due_at() == pytest.approx(5.0 + took + rest)
        stream.take(20.0)
        stream.done(20.0)


def test_a_round_is_of_one_epoch_and_bounded() -> None:
    stream = joiner(max_round_bytes=25)
    stream.add([*ready(1, 2, 3, 4), Reset("b", 1, 0), *ready(1, epoch="b")])
    rounds = []
    while stream.due_at() is not None:
        rounds.append([(output.epoch, output.last_seq) for output in stream.take(0.0)])
        stream.done(0.0)
    assert rounds == [[("a", 1), ("a", 2), ("a", 3)], [("a", 4)], [("b", 0)], [("b", 1)]]


def test_beyond_the_bound_the_older_half_is_told_as_skipped() -> None:
    stream = joiner(max_pending=4)
    stream.add(ready(1, 2, 3, 4, 5))
    taken = stream.take(0.0)
    assert taken == [Skip("a", 1, 3), *ready(4, 5)]
    assert stream.dropped == 3
