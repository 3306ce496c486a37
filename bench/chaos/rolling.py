"""`relaymesh chaos rolling`: every node of a cluster drained and started again, under load.

Starts a cluster of its own with two nodes of each role. Publishers send gifts and host speech
(urgent) and chat (normal) to a room, somebody likes it (bulk), viewers watch; eight people write to
each other in chats of two, in a group and in a hot group. Meanwhile one node after the other,
access, router, logic, relay, is ordered to drain by the gateway's API, ends, and is started again
by `up`; the next one follows when all nodes have all their links again. Prints

- `sent`, `acked`: urgent and normal messages of the room, and instant messages; `refused`: those
  that were answered with an error after all repeats;
- `restarted`: nodes that drained and came back; `crashed`: those that ended otherwise;
- `lost`: acknowledged messages that a viewer, or a device of a recipient, did not get;
- `doubled`: those that it got twice; `disordered`: those after a later one of their stream;
- `told`: notices of skipped or lost messages and resets that the viewers got;
- `reconnects`: of viewers and devices; `bulk`: bulk messages that viewers got;
- `silence_max_s`: the longest time in which a viewer saw nothing; `ack_max_s`: the longest time
  from sending an instant message to its answer;
- `drain_max_s`: the longest time from an order until the node was back and all links stood;
- `seconds`: the whole of it;
- `ok`: every node restarted, none crashed, nothing lost, doubled or out of order.
"""

import itertools
import json
import random
import urllib.error
from dataclasses import dataclass, field
from typing import Any

import click
import trio

from bench.bus_choice import bus_options, up_options
from bench.chaos import im, room
from bench.cluster import Cluster, running_cluster
from bench.room import print_result
from relaymesh_client import Client, Push, connect, gateway

ROLES = ("access", "router", "logic", "relay")
TWO_OF_EACH = ("--routers", "2", "--logics", "2")
SOONER = (
    *("--set", "access.drain_s=1"),
    *("--set", "access.lease_s=0.5"),
    *("--set", "relay.lease_s=0.5"),
)
"""Clients are few here, and orders are found at renewals: the run should not wait for either longer
than it must."""
VIEWERS = 8
PUBLISHERS = 3
LIKE_EVERY_S = 0.2
WRITE_EVERY_S = 0.1
CALM_S = 1.0
FINISH_S = 30.0
RESTART_S = 30.0
POLL_S = 0.1


@dataclass
class Story:
    """All that happened in a run."""

    viewers: room.Story = field(default_factory=room.Story)
    people: im.Story = field(default_factory=im.Story)
    restarts_s: dict[str, float] = field(default_factory=dict)
    """How long each node took from the order until all links stood again."""
    bulk: int = 0

    def lost(self) -> int:
        """Return how many acknowledged messages are missing, over all viewers and devices."""
        return self.viewers.lost() + self.people.lost()

    def report(self, nodes: int, crashed: int, seconds: float) -> dict[str, Any]:
        """Return what is printed."""
        seen, said = self.viewers.report(), self.people.report([])
        both = {key: seen[key] + said[key] for key in ("sent", "acked")}
        wrong = {key: seen[key] + said[key] for key in ("lost", "doubled", "disordered")}
        restarted = len(self.restarts_s)
        return {
            **both,
            "refused": both["sent"] - both["acked"],
            "restarted": restarted,
            "crashed": crashed,
            **wrong,
            "told": seen["told"],
            "reconnects": seen["resumed"] + said["reconnects"],
            "bulk": self.bulk,
            "silence_max_s": seen["recovery_max_s"],
            "ack_max_s": said["ack_max_s"],
            "drain_max_s": round(max(self.restarts_s.values(), default=0.0), 1),
            "seconds": round(seconds, 1),
            "ok": restarted == nodes and not crashed and not any(wrong.values()),
        }


async def run(seed: int, options: list[str]) -> dict[str, Any]:
    """Run the whole story; returns what is printed."""
    began_s = trio.current_time()
    story, chance = Story(), random.Random(seed)
    async with (
        running_cluster(*TWO_OF_EACH, *SOONER, *options) as cluster,
        trio.open_nursery() as nursery,
    ):
        clients = await _audience(cluster, story, nursery)
        enough = trio.Event()
        async with trio.open_nursery() as working:
            for number in range(PUBLISHERS):
                working.start_soon(room.publish, cluster, story.viewers, f"host-{number}", enough)
            working.start_soon(_like, cluster, story, enough)
            working.start_soon(_write, story.people, clients, chance, enough)
            await trio.sleep(CALM_S)
            nodes = nodes_of(cluster)
            for node in nodes:
                story.restarts_s[node] = await restart(cluster, node)
            await trio.sleep(CALM_S)
            enough.set()
        with trio.move_on_after(FINISH_S):
            while story.lost():
                await trio.sleep(0.1)
        crashed = crashes(cluster)
        nursery.cancel_scope.cancel()
    return story.report(len(nodes), crashed, trio.current_time() - began_s)


async def _audience(cluster: Cluster, story: Story, nursery: trio.Nursery) -> dict[str, Client]:
    """Have viewers watch and people be there; returns the people's clients."""
    for number in range(VIEWERS):
        await nursery.start(room.watch, cluster, story.viewers, f"viewer-{number}")
    people = story.people
    clients = {uid: await nursery.start(im.live, cluster, people, uid, "p") for uid in im.PEOPLE}
    await nursery.start(im.live, cluster, people, im.SECOND_DEVICE_OF, "laptop")
    await im.get_acquainted(cluster, people, clients)
    return clients


async def _like(cluster: Cluster, story: Story, enough: trio.Event) -> None:
    """Like the room, and count the bulk messages that come of it."""
    async with connect(gateway(cluster.gateway), cluster.token("liker")) as client:
        events = client.events()
        await client.join(room.ROOM)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tap, client, enough, nursery.cancel_scope)
            async for event in events:
                story.bulk += isinstance(event, Push) and event.priority == "bulk"


async def _tap(client: Client, enough: trio.Event, scope: trio.CancelScope) -> None:
    while not enough.is_set():
        client.like(room.ROOM, 3)
        await trio.sleep(LIKE_EVERY_S)
    scope.cancel()


async def _write(
    story: im.Story, clients: dict[str, Client], chance: random.Random, enough: trio.Event
) -> None:
    """Send instant messages, from anybody to any conversation of theirs."""
    async with trio.open_nursery() as nursery:
        for number in itertools.takewhile(lambda _: not enough.is_set(), itertools.count()):
            uid = chance.choice(im.PEOPLE)
            conv = chance.choice(story.conversations_of(uid))
            nursery.start_soon(im.send, story, clients[uid], conv, f"{uid}-{number}")
            await trio.sleep(WRITE_EVERY_S)


def nodes_of(cluster: Cluster) -> list[str]:
    """Return the cluster's nodes, role by role."""
    return [name for role in ROLES for name in sorted(cluster.pids()) if name.startswith(role)]


async def restart(cluster: Cluster, node: str) -> float:
    """Drain `node` and wait until it is back with all its links; returns the seconds it took.

    Raises `trio.TooSlowError` after half a minute.
    """
    began_s = trio.current_time()
    token = cluster.token("operator", server=True)
    with trio.fail_after(RESTART_S):
        told: dict[str, Any] = {}
        while not told:
            told = await _asked(cluster, f"/v1/nodes/{node}/drain", token)
            await trio.sleep(POLL_S)
        others = set(nodes_of(cluster)) - {node}
        while not _is_back(await _asked(cluster, "/v1/status"), node, others, told["incarnation"]):
            await trio.sleep(POLL_S)
    return trio.current_time() - began_s


async def _asked(cluster: Cluster, path: str, token: str = "") -> dict[str, Any]:
    """Return what the gateway answers, nothing while it is away: it is drained as well."""
    try:
        return dict(await cluster.get_json(path, {} if token else None, token))
    except (urllib.error.URLError, OSError, ValueError):
        return {}


def _is_back(status: dict[str, Any], node: str, others: set[str], before: str) -> bool:
    """Say whether another life of `node` is there, all others are, and all have all their links."""
    nodes = {each["id"]: each for each in status.get("nodes", ())}
    relays = sum(each["role"] == "relay" for each in nodes.values())
    linked = all(each["links"] == relays for each in nodes.values() if each["role"] != "relay")
    there = others <= nodes.keys() and node in nodes
    return there and nodes[node]["incarnation"] != before and linked


def crashes(cluster: Cluster) -> int:
    """Return how many processes ended in another way than by a drain."""
    record = json.loads((cluster.state_dir / "cluster.json").read_text())
    return sum(node["restarts"] for node in record["nodes"].values())


@click.command()
@click.option("--seed", default=1, show_default=True)
@bus_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(seed: int, bus: str, bus_url: str, as_json: bool) -> None:
    """Restart every node of a cluster under load; nothing acknowledged is lost."""
    print_result(trio.run(run, seed, up_options(bus, bus_url)), as_json)
