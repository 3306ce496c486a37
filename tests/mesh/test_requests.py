import pytest

from mesh.addresses import BadAddressError, lane_urls
from mesh.requests import RequestBook, another
from mesh.serving import Asked, Bounds, Turns
from proto.errors import ErrorBody, ErrorCode, RequestError
from proto.headers import ReplyHeader, RequestHeader
from proto.priorities import Priority


def test_a_reply_settles_its_attempt_once() -> None:
    book = RequestBook("life1", 10)
    attempt = book.open("relay-1", Priority.NORMAL)
    for _ in range(2):
        book.reply(ReplyHeader(attempt.number, "life1"), b"body")
    assert attempt.settled.is_set()
    assert (attempt.body, attempt.error, len(book), book.unmatched) == (b"body", None, 0, 1)


def test_a_reply_to_an_earlier_incarnation_settles_nothing() -> None:
    book = RequestBook("life2", 10)
    attempt = book.open("relay-1", Priority.NORMAL)
    book.reply(ReplyHeader(attempt.number, "life1"), b"")
    assert not attempt.settled.is_set()
    assert book.unmatched == 1


def test_an_error_comes_back_as_it_was_sent() -> None:
    book = RequestBook("life1", 10)
    attempt = book.open("relay-1", Priority.NORMAL)
    body = ErrorBody(ErrorCode.OVERLOADED, "full", retry_after_ms=7)
    book.reply(ReplyHeader(attempt.number, "life1", body), b"")
    assert attempt.error is not None
    assert attempt.error.body == body


def test_a_relay_that_goes_fails_its_own_attempts_alone() -> None:
    book = RequestBook("life1", 10)
    lost, kept = book.open("relay-1", Priority.NORMAL), book.open("relay-2", Priority.NORMAL)
    book.relay_down("relay-1")
    assert lost.error is not None
    assert lost.error.body.code == ErrorCode.UNAVAILABLE
    assert not kept.settled.is_set()


def test_the_bound_refuses_with_a_time_to_retry() -> None:
    book = RequestBook("life1", 1)
    first = book.open("relay-1", Priority.NORMAL)
    with pytest.raises(RequestError) as caught:
        book.open("relay-1", Priority.NORMAL)
    assert caught.value.body.retry_after_ms > 0
    book.close(first)
    assert book.open("relay-1", Priority.NORMAL).number == 2


def test_another_relay_is_none_that_was_tried() -> None:
    assert another(["a", "b"], "a") == "b"
    assert another(["a"], "a") is None


def asked(priority: Priority, number: int, deadline: float = 100.0) -> Asked:
    return Asked("relay-1", priority, RequestHeader(number, "n", "i", "m", 1), b"", 0.0, deadline)


def test_urgent_is_served_first_and_each_priority_in_order() -> None:
    turns = Turns(Bounds(10, 10))
    for number, priority in enumerate([2, 1, 0, 1, 0]):
        assert turns.come(asked(Priority(priority), number))
    order = [turns.next(0.0) for _ in range(5)]
    assert [one.header.request for one in order if one] == [2, 4, 1, 3, 0]


def test_places_are_bounded_and_given_back() -> None:
    turns = Turns(Bounds(1, 1))
    assert turns.come(asked(Priority.NORMAL, 1))
    assert turns.next(0.0)
    assert turns.come(asked(Priority.NORMAL, 2))
    assert turns.next(0.0) is None
    assert not turns.come(asked(Priority.NORMAL, 3))
    turns.done(Priority.NORMAL, 0.0, 0.0)
    assert turns.next(0.0)
    assert (turns.refused, turns.at_work) == (1, 1)


def test_no_priority_takes_the_places_of_another() -> None:
    turns = Turns(Bounds(1, 1))
    for number in range(2):
        assert turns.come(asked(Priority.NORMAL, number))
        turns.next(0.0)
    assert turns.come(asked(Priority.URGENT, 7))
    served = turns.next(0.0)
    assert served is not None
    assert served.header.request == 7


def test_who_has_given_up_is_not_served() -> None:
    turns = Turns(Bounds(1, 9))
    turns.come(asked(Priority.NORMAL, 1, deadline=5.0))
    turns.come(asked(Priority.NORMAL, 2, deadline=50.0))
    served = turns.next(10.0)
    assert served is not None
    assert served.header.request == 2
    assert turns.expired == 1


def test_addresses_are_short_or_in_full() -> None:
    assert lane_urls("tcp://[::1]:9") == ("tcp://[::1]:9", "tcp://[::1]:10", "tcp://[::1]:11")
    assert lane_urls("tcp://a:1, tcp://b:2 ,tcp://c:3") == ("tcp://a:1", "tcp://b:2", "tcp://c:3")


@pytest.mark.parametrize("text", ["", "a:1", "tcp://a", "tcp://a:1,tcp://a:2", "tcp://a:65534"])
def test_other_addresses_are_refused_by_name(text: str) -> None:
    with pytest.raises(BadAddressError, match=repr(text)):
        lane_urls(text)


def test_a_flood_leaves_room_for_urgent() -> None:
    book = RequestBook("life1", 8)
    for priority, places in ((Priority.BULK, 4), (Priority.NORMAL, 6), (Priority.URGENT, 8)):
        while len(book) < places:
            book.open("relay-1", priority)
        with pytest.raises(RequestError):
            book.open("relay-1", priority)
