"""What a relay wants of the hot topics follows from its subscription table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.envelopes import MAX_KEY_BYTES
from proto.headers import Interest
from proto.heat import hot_key, pool_and_room, shard_of_pool
from relay.interest import flaw
from relay.table import SubscriptionTable

KEYS = [hot_key(f"pool-{n}", room) for n in range(4) for room in "ab"] + ["a", "b"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["n1", "n2"]),
        st.booleans(),
        st.lists(st.sampled_from(KEYS), max_size=4, unique=True),
        st.lists(st.sampled_from(KEYS), max_size=4, unique=True),
    ),
    max_size=30,
)


@settings(max_examples=50)
@given(STEPS)
def test_it_agrees_with_the_tables_keys(
    steps: list[tuple[str, bool, list[str], list[str]]],
) -> None:
    table: SubscriptionTable[str] = SubscriptionTable()
    seen = [table.hot.shards]
    table.hot.changed = lambda: seen.append(table.hot.shards)
    for number, (node, full, add, drop) in enumerate(steps):
        table.step(node, Interest(number, full, add, drop))
        hot = [key for key in KEYS if pool_and_room(key) and table.receivers(key.encode())]
        shards = {shard_of_pool(key[1:].split("/")[0]) for key in hot}
        assert table.hot.shards == shards == seen[-1], "whoever listens knows of each change"
        assert len(table.hot) == len(hot)
        assert len(table) == sum(bool(table.receivers(key)) for key in (b"a", b"b"))
        assert {key for n in range(4) for key in table.hot.keys(n)} == {k.encode() for k in hot}


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("", "1 to 256 bytes, got 0"),
        ("r" * (MAX_KEY_BYTES + 1), "got 257"),
        ("@", "pool's name has 1 to 64 characters, got 0"),
        ("@/lobby", "got 0"),
        ("@pool-1", "'' is no room's name"),
        ("@pool-1/", "'' is no room's name"),
        ("@pool-1/no room", "'no room' is no room's name"),
        ("@pool-1/" + "r" * 65, "is no room's name"),
        ("@" + "p" * 65 + "/lobby", "got 65"),
    ],
)
def test_a_key_that_can_be_no_interest_is_named(key: str, part: str) -> None:
    assert part in (flaw(key) or "")


@pytest.mark.parametrize("key", ["lobby", "hot:g:team", "@pool-1/lobby"])
def test_other_keys_are_fine(key: str) -> None:
    assert flaw(key) is None
