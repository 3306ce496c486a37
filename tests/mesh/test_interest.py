"""A node's announcements against the relay's own table, with steps that get lost on the way."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.interest import Announcer
from proto.envelopes import MAX_HEADER_BYTES
from proto.headers import Confirm, encode_header
from relay.table import SubscriptionTable

ROOMS = st.sampled_from(["a", "b", "c", "d"])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["want", "unwant", "take", "leave"]), ROOMS),
        st.tuples(st.sampled_from(["exchange", "lose"]), st.just("")),
    ),
    max_size=60,
)


class Node:
    """A node, its relay's table, and what the relay was told."""

    def __init__(self, step_bytes: int = 1000) -> None:
        self.wanted: set[str] = set()
        self.taken: set[str] = set()
        self.announcer = Announcer(self.wanted, step_bytes)
        self.table: SubscriptionTable[str] = SubscriptionTable()

    def do(self, action: str, room: str) -> None:
        if action == "want":
            self.wanted.add(room)
            self.announcer.changed(room)
        elif action == "unwant":
            self.wanted.discard(room)
            self.announcer.changed(room)
        elif action == "take":
            self.taken.add(room)
            self.announcer.take(room)
        elif action == "leave":
            self.taken.discard(room)
            self.announcer.leave(room)
        else:
            self.exchange(lost=action == "lose")

    def exchange(self, *, lost: bool = False) -> list[str]:
        steps = self.announcer.steps()
        confirms = [self.table.step("node", step) for step in (steps[1:] if lost else steps)]
        return [room for confirm in confirms for room in self.announcer.confirm(confirm)]

    @property
    def all_wanted(self) -> set[str]:
        return self.wanted | self.taken

    @property
    def in_table(self) -> set[str]:
        return {room for room in "abcd" if self.table.receivers(room.encode())}


@given(ACTIONS, st.integers(4, 12))
def test_the_table_ends_up_as_wanted_and_confirmed_never_lies(
    actions: list[tuple[str, str]], step_bytes: int
) -> None:
    node = Node(step_bytes)
    for action, room in actions:
        node.do(action, room)
        known = {room for room in "abcd" if node.announcer.confirmed(room)}
        assert known & node.all_wanted <= node.in_table
    # A step that was lost without a later one is told by the relay's silence: the link goes.
    node.announcer = Announcer(node.wanted, step_bytes)
    for room in node.taken:
        node.announcer.take(room)
    node.table.remove("node")
    for _ in range(4):
        node.exchange()
    assert node.in_table == node.all_wanted
    assert {room for room in "abcd" if node.announcer.confirmed(room)} == node.all_wanted


def test_a_missing_step_is_healed_by_a_full_one() -> None:
    node = Node()
    node.do("want", "a")
    node.exchange()
    node.do("want", "b")
    step = node.announcer.steps()[0]
    later = Confirm(step.generation, stale=True)
    assert node.announcer.confirm(later) == []
    full = node.announcer.steps()
    assert [(step.full, sorted(step.add)) for step in full] == [(True, ["a", "b"])]
    assert sorted(node.announcer.confirm(node.table.step("node", full[0]))) == ["a", "b"]


def test_a_second_stale_of_the_same_gap_changes_nothing() -> None:
    node = Node()
    node.do("want", "a")
    node.exchange()
    node.announcer.confirm(Confirm(1, stale=True))
    full = node.announcer.steps()
    node.announcer.confirm(Confirm(1, stale=True))
    assert node.announcer.steps() == []
    assert node.announcer.confirm(node.table.step("node", full[0])) == ["a"]


def test_many_rooms_are_split_below_the_header_limit_and_confirmed_together() -> None:
    node = Node(50_000)
    rooms = [f"room-{number:059}" for number in range(5000)]
    for room in rooms:
        node.do("want", room)
    steps = node.announcer.steps()
    assert len(steps) > 1
    assert [step.full for step in steps] == [True] + [False] * (len(steps) - 1)
    assert all(len(encode_header(step)) <= MAX_HEADER_BYTES for step in steps)
    confirmed = [node.announcer.confirm(node.table.step("node", step)) for step in steps]
    assert sorted(confirmed[-1]) == rooms
    assert not any(confirmed[:-1])


def test_changes_gather_while_a_step_is_unconfirmed() -> None:
    node = Node()
    node.do("want", "a")
    step = node.announcer.steps()[0]
    node.do("want", "b")
    node.do("unwant", "a")
    assert node.announcer.steps() == []
    assert node.announcer.confirm(node.table.step("node", step)) == []
    assert node.exchange() == ["b"]
    assert node.in_table == {"b"}


def test_a_node_that_wants_nothing_says_nothing() -> None:
    assert Node().announcer.steps() == []
