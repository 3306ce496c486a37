import pytest

from logic.rooms.capacity import BURST_S, Capacity
from proto.errors import ErrorCode, RequestError
from proto.priorities import Priority


def admitted(capacity: Capacity, priority: Priority, count: int, now_ms: int) -> int:
    done = 0
    for _ in range(count):
        try:
            capacity.admit(priority, now_ms)
        except RequestError as error:
            assert error.body.code is ErrorCode.OVERLOADED
            assert error.body.retry_after_ms >= 500
        else:
            done += 1
    return done


def test_a_burst_passes_and_then_the_rate() -> None:
    capacity = Capacity(100)
    assert admitted(capacity, Priority.NORMAL, 500, 1000) == 100 * BURST_S
    assert [admitted(capacity, Priority.BULK, 50, 1000 + 100 * n) for n in range(1, 4)] == [10] * 3
    assert capacity.refused == 500 - 50 + 3 * 40


@pytest.mark.parametrize("per_s", [0.5, 1.0])
def test_the_smallest_capacity_admits_something(per_s: float) -> None:
    assert admitted(Capacity(per_s), Priority.NORMAL, 3, 1000) == 1


def test_urgent_messages_always_pass() -> None:
    capacity = Capacity(1)
    admitted(capacity, Priority.NORMAL, 10, 1000)
    assert admitted(capacity, Priority.URGENT, 1000, 1000) == 1000


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    capacity = Capacity(100)
    admitted(capacity, Priority.NORMAL, 100, 5000)
    assert admitted(capacity, Priority.NORMAL, 10, 1000) == 0
    assert admitted(capacity, Priority.NORMAL, 100, 5100) == 10
