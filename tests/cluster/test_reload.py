"""The config of a running cluster is read anew: processes, files and signals, and people connected
who must not notice."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cluster.conftest import PATIENCE_S, Bystander, Cluster, unharmed
from tests.cluster.independent_client import ClosedError, RefusedError, greeted

Edit = Callable[[str], str]


def files(cluster: Cluster, role: str = "*") -> list[Path]:
    return sorted((cluster.state_dir / "configs").glob(f"{role}-*.toml"))


def edit(cluster: Cluster, change: Edit, role: str = "*") -> None:
    """Write the configs anew, each whole, as an operator's tool does."""
    for file in files(cluster, role):
        new = file.with_suffix(".new")
        new.write_text(change(file.read_text()))
        new.replace(file)


@contextmanager
def restored(cluster: Cluster) -> Iterator[None]:
    """Have the configs as they were in the end."""
    before = {file: file.read_text() for file in files(cluster)}
    try:
        yield
    finally:
        for file, text in before.items():
            file.write_text(text)
        hang_up(cluster)


def nodes(cluster: Cluster) -> dict[str, Any]:
    """The processes that are nodes: the others are servers of Redis."""
    return {name: each for name, each in cluster.record.items() if each["http"]}


def hang_up(cluster: Cluster) -> None:
    for node in nodes(cluster).values():
        os.kill(node["pid"], signal.SIGHUP)


async def config_status(cluster: Cluster, node: str) -> dict[str, Any]:
    _, body = await cluster.http("GET", f"{cluster.record[node]['http']}/statusz")
    found: dict[str, Any] = json.loads(body)["config"]
    return found


async def until(
    cluster: Cluster, condition: Callable[[str, dict[str, Any]], bool], role: str = ""
) -> None:
    """Wait until what each node (of `role`) says of its config is as it should be."""
    with trio.fail_after(PATIENCE_S):
        for name, node in nodes(cluster).items():
            while role in ("", node["role"]):
                if condition(name, await config_status(cluster, name)):
                    break
                await trio.sleep(0.05)


async def reloaded(cluster: Cluster, *roles: str) -> None:
    """Hang up, and wait until each node of these roles has taken its config over."""
    before = {
        name: (await config_status(cluster, name))["reloads"]["taken_over"]
        for name in nodes(cluster)
    }
    hang_up(cluster)
    for role in roles:
        await until(
            cluster, lambda name, config: config["reloads"]["taken_over"] > before[name], role
        )


def with_key(key: str, value: str, table: str) -> Edit:
    """Give `key` in the table of that name, which stands there already or not."""

    def change(text: str) -> str:
        before, _, inside = f"{text}\n".partition(f"{table}\n")
        inside, end, after = inside.partition("\n[")
        kept = [line for line in inside.splitlines() if line.partition(" = ")[0] != key]
        return "\n".join([f"{before}{table}", f"{key} = {value}", *kept, f"{end}{after}"])

    return change


async def test_a_config_with_one_bad_key_changes_nothing_and_nobody_notices(
    cluster: Cluster, bystander: Bystander
) -> None:
    before = cluster.record
    with restored(cluster):
        edit(cluster, with_key("level", '"loud"', "[log]"))
        hang_up(cluster)
        await until(cluster, lambda _, config: config["refused"] != "")
        for name in nodes(cluster):
            refused = (await config_status(cluster, name))["refused"]
            assert refused.startswith("log.level: expected 'debug' or 'info'"), name
            assert f"configs/{name}.toml" in refused
        assert await cluster.metric("access", "relaymesh_config_refused") == 2
    await until(cluster, lambda _, config: config["refused"] == "")
    assert cluster.record == before


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose configs these tests change."""
    running = Cluster(tmp_path_factory.mktemp("reload") / "state")
    yield running
    running.stop()


@pytest.mark.cluster_long
async def test_the_token_secret_is_changed_under_people_who_do_not_notice(
    own: Cluster, room: str
) -> None:
    before, old, new = own.record, own.secrets["token_secret"], "n" * 40

    async def may_come(secret: str) -> bool:
        let_in = False
        try:
            async with greeted(own.access[0], own.token("ann", secret), room):
                let_in = True
        except* (RefusedError, ClosedError):
            pass
        token = own.token("backend", secret, role="server")
        path, body = f"/v1/rooms/{room}/publish", b'{"data": {"text": "hi"}}'
        status, _ = await own.http("POST", path, body, Authorization=f"Bearer {token}")
        assert let_in == (status == 200), "access nodes and routers go by the same keys"
        return let_in

    with restored(own):
        async with unharmed(own, room):
            assert (await may_come(old), await may_come(new)) == (True, False)
            for key, value in (("secret", new), ("previous_secret", old)):
                for role in ("access", "router"):
                    edit(own, with_key(key, f'"{value}"', f"[{role}.tokens]"), role)
            await reloaded(own, "access", "router")
            assert (await may_come(old), await may_come(new)) == (True, True)
            for role in ("access", "router"):
                edit(own, with_key("previous_secret", '""', f"[{role}.tokens]"), role)
            await reloaded(own, "access", "router")
            assert (await may_come(old), await may_come(new)) == (False, True)
    await reloaded(own, "access", "router")
    assert await may_come(old)
    assert own.record == before


@pytest.mark.cluster_long
async def test_a_limit_holds_at_once_for_those_who_are_connected(own: Cluster, room: str) -> None:
    async with greeted(own.access[0], own.token("ann"), room) as ann:
        await ann.request("join", room=f"{room}-2")
        with restored(own):
            edit(own, with_key("max_rooms", "2", "[access.client]"), "access")
            await reloaded(own, "access")
            with pytest.raises(RefusedError) as caught:
                await ann.request("join", room=f"{room}-3")
            assert caught.value.code == "too_many_rooms"
        await reloaded(own, "access")
        await ann.request("join", room=f"{room}-3")


@pytest.mark.cluster_long
async def test_the_log_level_is_taken_over_and_what_takes_a_restart_is_named(
    own: Cluster, room: str
) -> None:
    log = own.state_dir / "logs" / "access-1.log"
    with restored(own):
        edit(own, with_key("level", '"debug"', "[log]"), "access")
        edit(own, with_key("lease_s", "2.0", "[access]"), "access")
        hang_up(own)
        await until(own, lambda _, c: c["restart_needed"] == ["access.lease_s"], "access")
        async with unharmed(own, room):
            with trio.fail_after(PATIENCE_S):
                while '"client_frame"' not in log.read_text():
                    await trio.sleep(0.05)
        assert '"restart_needed"' in log.read_text()
        assert await own.metric("access", "relaymesh_config_restart_needed") == 2
    await until(own, lambda _, config: config["restart_needed"] == [], "access")
