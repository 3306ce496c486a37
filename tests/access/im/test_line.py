from hypothesis import given, settings
from hypothesis import strategies as st

from access.im.line import Line


def drain(line: Line) -> list[int]:
    taken = []
    while line.next() is not None:
        taken.append(line.take()[0])
    return taken


class Model:
    """A stream with gaps, of which some numbers come live and pages say the rest."""

    def __init__(self, exists: set[int]) -> None:
        self.exists = sorted(exists)
        self.head = max(exists, default=0)

    def page(self, line: Line, limit: int) -> None:
        since, asked_head = line.position, line.head
        frames = [(n, b"%d" % n) for n in self.exists if n > since][:limit]
        line.page(frames, self.head, asked_head)


@given(
    exists=st.sets(st.integers(1, 60)),
    live=st.lists(st.integers(1, 60), max_size=80),
    limit=st.integers(1, 10),
)
@settings(max_examples=100)
def test_each_number_that_exists_is_passed_on_once_in_order(
    exists: set[int], live: list[int], limit: int
) -> None:
    model, line, taken = Model(exists), Line(0, 0), []
    for n in live:
        if n in exists:
            line.offer(n, b"%d" % n if n % 3 else None)
            taken += drain(line)
        elif n % 5 == 0:
            model.page(line, limit)
            taken += drain(line)
    line.learn(model.head)
    pages = 0
    while line.missing:
        model.page(line, limit)
        taken += drain(line)
        pages += 1
        assert pages <= 61
    assert taken == model.exists
    assert len(line) == 0


def test_what_was_passed_on_or_waits_is_no_news() -> None:
    line = Line(5, 5)
    assert not line.offer(5, b"5")
    assert line.offer(7, b"7")
    assert not line.offer(7, b"7")
    assert line.missing
    assert line.offer(6, b"6")
    assert drain(line) == [6, 7]
    assert not line.missing


def test_a_number_that_was_announced_and_does_not_exist_is_forgotten_with_an_empty_page() -> None:
    line = Line(0, 9)
    asked_head = line.head
    line.page([(1, b"1")], 1, asked_head)
    assert drain(line) == [1]
    assert line.missing, "the page may have been cut"
    line.page([], 1, line.head)
    assert not line.missing


def test_what_comes_while_a_page_is_on_its_way_is_not_forgotten() -> None:
    line = Line(0, 1)
    asked_head = line.head
    line.offer(2, None)
    line.page([(1, b"1")], 1, asked_head)
    assert drain(line) == [1]
    assert line.missing
