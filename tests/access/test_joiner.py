import pytest

from access.joiner import Joiner
from access.stream import Output, Ready, Reset, Skip


def joiner(**bounds: int) -> Joiner:
    limits = {"max_pending": 100, "max_pending_bytes": 10_000, "max_round_bytes": 1000, **bounds}
    return Joiner(0.02, tick_ratio=4.0, **limits)


def ready(*seqs: int, epoch: str = "a", size: int = 10) -> list[Output]:
    return [Ready(epoch, seq, b"x" * size, None) for seq in seqs]


def test_an_idle_stream_is_due_at_once_and_a_busy_one_after_a_tick() -> None:
    stream = joiner()
    stream.add(ready(1))
    assert stream.due_at() == float("-inf")
    assert stream.take(1.0) == ready(1)
    stream.add(ready(2, 3))
    assert stream.due_at() is None
    stream.done(1.001)
    assert stream.due_at() == pytest.approx(1.004)
    assert stream.take(1.004) == ready(2, 3)


def test_the_tick_is_bounded_and_a_longer_round_is_followed_at_once() -> None:
    stream = joiner()
    for took, next_after in ((0.01, 0.02), (0.019, 0.02), (0.5, 0.5)):
        stream.add(ready(1))
        stream.take(5.0)
        stream.done(5.0 + took)
        stream.add(ready(2))
        assert stream.due_at() == pytest.approx(5.0 + next_after)
        stream.take(6.0)
        stream.done(6.0)


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
