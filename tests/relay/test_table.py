from hypothesis import given
from hypothesis import strategies as st

from proto.headers import Confirm, Interest
from relay.table import SubscriptionTable

NAMES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["n1", "n2"]), st.booleans(), NAMES, NAMES),
        st.tuples(st.sampled_from(["n1", "n2"]), st.none(), st.just([]), st.just([])),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_agrees_with_plain_sets(
    steps: list[tuple[str, bool | None, list[str], list[str]]],
) -> None:
    table: SubscriptionTable[str] = SubscriptionTable()
    model: dict[str, set[str]] = {}
    generations = {"n1": 0, "n2": 0}
    for node, full, add, drop in steps:
        if full is None:
            table.remove(node)
            model.pop(node, None)
            continue
        generations[node] += 1
        confirm = table.step(node, Interest(generations[node], full, add, drop))
        assert confirm == Confirm(generations[node], stale=not full and node not in model)
        if not confirm.stale:
            before = set() if full else model[node]
            model[node] = (before | set(add)) - set(drop)
    for room in "abc":
        expected = {node for node, rooms in model.items() if room in rooms}
        assert set(table.receivers(room.encode())) == expected
    assert len(table) == len(set().union(*model.values()))
    assert table.rooms("n1") == len(model.get("n1", ()))


def test_a_step_that_skips_one_is_stale_and_changes_nothing() -> None:
    table: SubscriptionTable[str] = SubscriptionTable()
    table.step("n", Interest(1, True, ["a"], []))
    assert table.step("n", Interest(3, False, ["b"], ["a"])) == Confirm(3, stale=True)
    assert table.receivers(b"a") == ["n"]
    assert table.receivers(b"b") == []
    assert table.step("n", Interest(2, False, ["b"], [])) == Confirm(2)
