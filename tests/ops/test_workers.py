"""What a config that asks for workers makes of itself."""

from pathlib import Path
from typing import Any

import pytest

from access.settings import Settings
from ops.cluster.options import UpOptions
from ops.cluster.prepare import prepare_cluster
from ops.config.load import NodeConfig, load
from ops.errors import Refusal
from ops.roles import share_of
from ops.workers.plan import Part, Worker, count_of, part_flags, workers

SECRET = "s" * 32


def config(*flags: str) -> NodeConfig:
    return load("access", None, {}, [f"access.tokens.secret={SECRET}", *flags])


def planned(*flags: str) -> list[NodeConfig]:
    """The configs of the workers, as their own processes load them."""
    group = config(*flags)
    found = workers(group, "access-1", "json")

    def told(worker: Worker) -> tuple[str, ...]:
        return part_flags(group, Part.parse(str(worker.part)), share_of("access"))

    return [config(*flags, *worker.flags, *told(worker)) for worker in found]


def test_each_worker_is_a_node_with_a_name_a_port_and_a_part_of_its_own() -> None:
    found = planned("access.workers=3", "node.http=127.0.0.1:8000")
    assert [each.node.id for each in found] == ["access-1-w1", "access-1-w2", "access-1-w3"]
    assert [each.node.http for each in found] == [f"127.0.0.1:{8000 + n}" for n in (1, 2, 3)]
    own: list[Any] = [each.own for each in found]
    assert all(isinstance(each, Settings) for each in own)
    assert [each.edge.max_connections for each in own] == [33_334, 33_333, 33_333]
    assert {(each.workers, each.edge.reuse_port, each.edge.port) for each in own} == {
        (1, True, 7740)
    }
    assert {each.log.format for each in found} == {"json"}


def test_what_the_user_set_holds_for_each_worker() -> None:
    found = planned("access.workers=2", "node.region=eu", "access.client.max_rooms=7")
    assert {each.node.region for each in found} == {"eu"}
    own: list[Any] = [each.own for each in found]
    assert {each.client.max_rooms for each in own} == {7}


def test_free_ports_stay_free_ports_and_the_last_port_is_the_last() -> None:
    assert {each.node.http for each in planned("access.workers=2")} == {"127.0.0.1:0"}
    with pytest.raises(Refusal, match=r"node\.http: expected a port with one more for each"):
        planned("access.workers=2", "node.http=127.0.0.1:65534")


def test_one_worker_is_no_group_and_other_roles_have_none() -> None:
    assert count_of(config()) == 1
    assert count_of(load("relay", None, {})) == 1


def test_a_local_cluster_has_nodes_instead(tmp_path: Path) -> None:
    options = UpOptions(state_dir=tmp_path / "state", port_base=24_000, flags=("access.workers=2",))
    with pytest.raises(Refusal, match=r"access\.workers: expected 1 .* use --access N"):
        prepare_cluster(options)


def test_a_group_on_a_free_client_port_is_refused() -> None:
    with pytest.raises(Refusal, match=r"access\.edge\.port: expected a port of its own"):
        config("access.workers=2", "access.edge.port=0")
