"""A room that an operator has moved to dedicated nodes and back, while people talk in it, a node of
its pool dies, and the router that looks after it dies too."""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio

from relaymesh_client import Client, EventQueue, Moved, Push, connect, gateway
from tests.cluster.conftest import Cluster

pytestmark = pytest.mark.cluster_long

VIEWERS = 6
STEP_S = 90.0
"""For each step: nodes are started, and viewers move, on a machine that has other work."""

NUMBERED = ("urgent", "normal")


class Viewer:
    """Somebody who watches: what came, and where it was moved."""

    def __init__(self) -> None:
        self.came: dict[str, list[int]] = {priority: [] for priority in NUMBERED}
        self.moves: list[str] = []

    async def watch(self, events: EventQueue) -> None:
        async for event in events:
            if isinstance(event, Push) and event.priority in NUMBERED:
                self.came[event.priority].append(event.seq)
            elif isinstance(event, Moved):
                self.moves.append(event.new_node)

    def require_all(self) -> None:
        """Require that nothing was lost or doubled, and that all came in order."""
        for priority, numbers in self.came.items():
            assert numbers, priority
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), priority


@asynccontextmanager
async def watched(cluster: Cluster, room: str) -> AsyncIterator[list[Viewer]]:
    viewers = [Viewer() for _ in range(VIEWERS)]
    async with trio.open_nursery() as nursery, AsyncExitStack() as connections:
        for number, viewer in enumerate(viewers):
            token = cluster.token(f"viewer-{room}-{number}")
            client: Client = await connections.enter_async_context(
                connect(gateway(cluster.gateway), token)
            )
            nursery.start_soon(viewer.watch, client.events())
            await client.join(room)
        yield viewers
        nursery.cancel_scope.cancel()


async def talk(cluster: Cluster, room: str, task_status: trio.TaskStatus[None]) -> None:
    """Publish to both streams, again and again; a gateway that is away is asked again."""
    number = 0
    while True:
        for priority in NUMBERED:
            body = {"priority": priority, "data": number, "mid": f"{room}-{priority}-{number}"}
            try:
                status, _ = await cluster.publish(f"/v1/rooms/{room}/publish", body)
            except OSError:
                status = 0
            if status != 200:
                break
        else:
            if number == 0:
                task_status.started()  # an operator may speak of the room from now
            number += 1
        await trio.sleep(0.2)


async def heat(cluster: Cluster, room: str) -> Any:
    token = cluster.token("operator", role="server")
    status, answer = await cluster.http(
        "GET", f"/v1/rooms/{room}/heat", Authorization=f"Bearer {token}"
    )
    assert status == 200, answer
    return json.loads(answer)


async def wish(cluster: Cluster, room: str, said: str) -> None:
    token = cluster.token("operator", role="server")
    body = json.dumps({"wish": said}).encode()
    status, answer = await cluster.http(
        "POST", f"/v1/rooms/{room}/heat", body, Authorization=f"Bearer {token}"
    )
    assert status == 200, answer


async def until_state(cluster: Cluster, room: str, state: str) -> Any:
    with trio.fail_after(STEP_S):
        while True:
            try:
                seen = await heat(cluster, room)
            except OSError:
                seen = {"state": "away"}
            if seen["state"] == state:
                return seen
            await trio.sleep(0.2)


async def until_dedicated(cluster: Cluster, count: int) -> list[str]:
    with trio.fail_after(STEP_S):
        while True:
            ready = [
                name for name, each in cluster.record.items() if "hot" in name and each["ready"]
            ]
            if len(ready) == count:
                return ready
            await trio.sleep(0.1)


async def test_a_room_moves_to_its_pool_and_back_and_nobody_misses_anything(
    cluster: Cluster, room: str
) -> None:
    async with watched(cluster, room) as viewers, trio.open_nursery() as nursery:
        await nursery.start(talk, cluster, room)
        await wish(cluster, room, "hot")
        hot = await until_state(cluster, room, "hot")
        wanted = hot["nodes_wanted"]
        assert hot["pool"].startswith("hot-")
        assert hot["gateways"] == {"router-1": hot["rules_version"]}
        names = await until_dedicated(cluster, wanted)
        assert all(viewer.moves and viewer.moves[0] in names for viewer in viewers)

        died = viewers[0].moves[0]
        cluster.kill(died)
        with trio.fail_after(STEP_S):
            while cluster.record[died]["restarts"] == 0:
                await trio.sleep(0.1)
        assert len(await until_dedicated(cluster, wanted)) == wanted
        cluster.kill("router-1")
        assert (await until_state(cluster, room, "hot"))["fence"] == hot["fence"]

        await wish(cluster, room, "cool")
        await until_state(cluster, room, "normal")
        assert await until_dedicated(cluster, 0) == []
        await trio.sleep(3)  # Until what was said last is repaired, where it has to be.
        nursery.cancel_scope.cancel()
    for viewer in viewers:
        viewer.require_all()
        assert viewer.moves[-1] in ("access-1", "access-2")


@pytest.fixture
def poor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster whose provisioner takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sets = {
            "router.provisioner.url": url,
            "router.provisioner.timeout_s": 1,
            "router.provisioner.give_up_s": 2,
            "router.heat.prepare_s": 4,
            "router.heat.retry_s": 1,
        }
        flags = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
        running = Cluster(tmp_path_factory.mktemp("poor") / "state", *flags)
        yield running
        running.stop()


def shown(cluster: Cluster, room: str) -> str:
    """Return what an operator sees of the room."""
    where = ["--port-base", str(cluster.port_base), "--state-dir", str(cluster.state_dir)]
    command = [sys.executable, "-P", "-m", "ops", "room", "show", room, *where]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_a_room_stays_where_it_is_when_there_are_no_nodes_for_it(
    poor: Cluster, room: str
) -> None:
    async with watched(poor, room) as viewers, trio.open_nursery() as nursery:
        await nursery.start(talk, poor, room)
        await wish(poor, room, "hot")
        with trio.fail_after(STEP_S):
            while (seen := await heat(poor, room))["failures"] < 2:
                await trio.sleep(0.2)
        lines = await trio.to_thread.run_sync(shown, poor, room)
        nursery.cancel_scope.cancel()
    assert seen["nodes"] == []
    assert "trouble    PUT of pool hot-" in lines
    assert "for 2 s" in lines
    assert "tried again in" in lines
    for viewer in viewers:
        viewer.require_all()
        assert viewer.moves == []
