from hypothesis import given
from hypothesis import strategies as st

from backends.bus.rocketmq.in_order import QueueInOrder


def started(at: int = 0) -> QueueInOrder[int]:
    queue: QueueInOrder[int] = QueueInOrder(1.0, 1.0)
    queue.arrive(at, at, 0.0)
    assert queue.wait_no_longer(1.0) == [at]
    return queue


@given(st.permutations(range(1, 8)))
def test_a_shuffle_is_put_right_without_waiting(arrivals):
    queue = started()
    assert [one for n in arrivals for one in queue.arrive(n, n, 1.0)] == list(range(1, 8))
    assert queue.due_at_s() is None


def test_the_first_waits_for_one_before_it():
    queue: QueueInOrder[int] = QueueInOrder(1.0, 1.0)
    assert queue.arrive(8, 8, 0.0) == []
    assert queue.arrive(7, 7, 0.5) == []
    assert queue.wait_no_longer(0.9) == []
    assert queue.wait_no_longer(1.0) == [7, 8]


def test_the_first_and_a_gap_have_patience_of_their_own():
    queue: QueueInOrder[int] = QueueInOrder(0.5, 3.0)
    assert queue.arrive(1, 1, 0.0) == []
    assert queue.wait_no_longer(0.5) == [1]
    assert queue.arrive(3, 3, 1.0) == []
    assert queue.due_at_s() == 4.0


def test_a_gap_is_waited_for_while_the_queue_moves():
    queue = started()
    for n in range(1, 5):  # pulled at once, handed one after the other
        assert queue.arrive(10 + n, 10 + n, n - 0.1) == []
        assert queue.wait_no_longer(n - 0.05) == []
        assert queue.arrive(n, n, float(n)) == [n]
    assert queue.due_at_s() == 5.0
    assert queue.wait_no_longer(5.0) == [11, 12, 13, 14]


def test_a_gap_is_waited_out_once():
    queue = started()
    assert queue.arrive(5, 5, 2.0) == queue.arrive(6, 6, 2.5) == []
    assert queue.due_at_s() == 3.0
    assert queue.wait_no_longer(3.0) == [5, 6]
    assert queue.arrive(7, 7, 3.0) == [7]


def test_what_comes_again_is_passed_on():
    queue = started(5)
    assert queue.arrive(3, 3, 2.0) == [3]


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 3)), max_size=40))
def test_nothing_stays_held(arrivals):
    queue: QueueInOrder[int] = QueueInOrder(1.0, 1.0)
    out, now_s = [], 0.0
    for offset, pause_s in dict(arrivals).items():
        now_s += pause_s
        out += queue.wait_no_longer(now_s) + queue.arrive(offset, offset, now_s)
    out += queue.wait_no_longer(now_s + 1.0)
    assert sorted(out) == sorted(dict(arrivals))
    assert queue.due_at_s() is None
