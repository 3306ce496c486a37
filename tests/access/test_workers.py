import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.settings import EdgeSettings, Settings
from access.workers import share_of
from proto.token_settings import TokenSettings
from tests.access.cluster import SECRET


def settings(workers: int, connections: int = 1000, chats: int = 512) -> Settings:
    edge = EdgeSettings(max_connections=connections)
    return Settings(
        tokens=TokenSettings(secret=SECRET), workers=workers, chat_under_way=chats, edge=edge
    )


@given(st.integers(1, 64), st.integers(64, 2_000_000), st.integers(64, 1_000_000))
def test_the_parts_make_the_whole_and_differ_by_one(
    workers: int, connections: int, chats: int
) -> None:
    group = settings(workers, connections, chats)
    parts = [share_of(group, index) for index in range(workers)]
    for key, whole in (("edge.max_connections", connections), ("chat_under_way", chats)):
        each = [part[key] for part in parts]
        assert sum(each) == whole
        assert max(each) - min(each) <= 1


def test_each_worker_is_one_process_that_shares_the_port() -> None:
    part = share_of(settings(3), 2)
    assert (part["workers"], part["edge.reuse_port"]) == (1, True)


def test_more_workers_than_connections_take_one_each() -> None:
    assert share_of(settings(4, connections=2), 3)["edge.max_connections"] == 1


def test_workers_need_a_port_that_is_known() -> None:
    with pytest.raises(ValueError, match=r"edge\.port: expected a port of its own"):
        Settings(tokens=TokenSettings(secret=SECRET), workers=2, edge=EdgeSettings(port=0))
