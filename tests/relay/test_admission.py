from hypothesis import given
from hypothesis import strategies as st

from proto.errors import ErrorCode
from relay.admission import Admission, Ticket


def ticket(number: int) -> Ticket:
    return Ticket("access-1", "life1", number)


def test_the_least_loaded_instance_takes_the_next() -> None:
    admission: Admission[str] = Admission(10)
    for name in ("a", "b", "c"):
        admission.join(name)
    taken = [admission.place(ticket(number), 0, 9.0) for number in range(6)]
    assert sorted(map(str, taken)) == ["a", "a", "b", "b", "c", "c"]
    admission.answered(ticket(taken.index("b")))
    assert admission.place(ticket(7), 0, 9.0) == "b"


def test_none_up_is_unavailable_and_all_full_is_overloaded() -> None:
    admission: Admission[str] = Admission(1)
    assert admission.place(ticket(1), 0, 9.0) == ErrorCode.UNAVAILABLE
    admission.join("a")
    assert admission.place(ticket(1), 0, 9.0) == "a"
    assert admission.place(ticket(2), 0, 9.0) == ErrorCode.OVERLOADED


def test_an_instance_that_goes_leaves_what_it_has_not_answered() -> None:
    admission: Admission[str] = Admission(9)
    admission.join("a")
    admission.place(ticket(1), 2, 9.0)
    admission.place(ticket(2), 0, 9.0)
    admission.answered(ticket(1))
    assert [one.ticket for one in admission.leave("a")] == [ticket(2)]
    assert not admission.answered(ticket(2))


@given(st.lists(st.tuples(st.sampled_from("paej"), st.integers(0, 6)), max_size=80))
def test_places_are_never_lost(actions: list[tuple[str, int]]) -> None:
    admission: Admission[str] = Admission(2)
    for action, number in actions:
        if action == "j":
            admission.join(f"i{number % 2}")
        elif action == "p":
            admission.place(ticket(number), 0, float(number))
        elif action == "a":
            admission.answered(ticket(number))
        else:
            admission.expire(float(number))
    admission.expire(100.0)
    assert len(admission) == 0
    placed = [admission.place(ticket(100 + n), 0, 0.0) for n in range(2 * admission.instances)]
    assert all(isinstance(one, str) and not isinstance(one, ErrorCode) for one in placed)


def test_a_flood_leaves_room_for_urgent() -> None:
    admission: Admission[str] = Admission(8)
    admission.join("a")
    number = 0
    for lane, places in ((2, 4), (1, 6), (0, 8)):
        while admission.place(ticket(number), lane, 9.0) == "a":
            number += 1
        assert len(admission) == places
