"""`relaymesh chaos im`: processes killed with SIGKILL while people write to each other.

Starts a cluster of its own with two logic nodes. Eight people, one of them on two devices, write in
chats of two, in a group and in a hot group, each message with a `mid` and repeated until answered,
while parts of the cluster are killed one after the other and come back; with `--database
postgresql` the part `database` may be among them. Prints

- `sent`, `acked`, `refused` (by reason), `kills`, `killed` (by part); `reconnects` of all devices;
- `lost`: acknowledged messages that a device of a recipient did not get, over all devices;
- `doubled`: messages that a device got twice; `disordered`: those after a later one of their
  conversation, or with another number than the sender's answer said;
- `ack_max_s`, `late_max_s`: the longest time from sending to the answer, and to the last device;
- `seconds`: from the first message until every device had all;
- `ok`: all sent messages acknowledged, nothing lost, doubled or out of order, and each asked part
  was killed.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from backends.database.postgresql_server import PostgresqlServer
from bench import bus_choice, database_choice
from bench.broker import Broker, script_option
from bench.bus_choice import bus_options
from bench.chaos.killing import PARTS, Killer, parts_option
from bench.cluster import Cluster, running_cluster
from bench.database_choice import chosen_database, database_option
from bench.room import print_result
from relaymesh_client import Client, Connected, Message, RelaymeshError, connect, gateway
from relaymesh_client.conversations import direct

DATABASE = "database"
"""The part that is killed where it is PostgreSQL."""
PEOPLE = [f"user-{number}" for number in range(8)]
SECOND_DEVICE_OF = PEOPLE[0]
CALM_S = 1.0
FINISH_S = 60.0
PATIENCE_S = 180.0


@dataclass
class Device:
    """What one device got."""

    uid: str
    got: list[tuple[str, int, str]] = field(default_factory=list)
    """Conversation, number, and the sender's id of the message."""
    got_s: dict[str, float] = field(default_factory=dict)
    connects: int = 0

    def take(self, event: object, now_s: float) -> None:
        """Take an event of the client."""
        if isinstance(event, Message) and event.kind == "message":
            self.got.append((event.conv, event.seq, event.mid))
            self.got_s.setdefault(event.mid, now_s)
        elif isinstance(event, Connected):
            self.connects += 1


@dataclass
class Story:
    """All that was sent, what was answered, and what each device got. Times are seconds."""

    members: dict[str, list[str]] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    sent_s: dict[str, float] = field(default_factory=dict)
    acked_s: dict[str, float] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    stands: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Conversation and number of each acknowledged message."""

    def conversations_of(self, uid: str) -> list[str]:
        """Return the conversations that a user is in."""
        return [conv for conv, members in sorted(self.members.items()) if uid in members]

    def missing(self, device: Device) -> int:
        """Return how many acknowledged messages the device has not got."""
        return sum(
            device.uid in self.members[conv] and mid not in device.got_s
            for mid, (conv, _) in self.stands.items()
        )

    def lost(self) -> int:
        """Return how many are missing, over all devices."""
        return sum(map(self.missing, self.devices))

    def disordered(self) -> int:
        """Return how many came late in their conversation, or were not where the answer said."""
        return sum(map(self._disordered, self.devices))

    def _disordered(self, device: Device) -> int:
        newest: dict[str, int] = {}
        wrong = 0
        for conv, seq, mid in device.got:
            wrong += seq < newest.get(conv, 0) or self.stands.get(mid, (conv, seq)) != (conv, seq)
            newest[conv] = max(seq, newest.get(conv, 0))
        return wrong

    def report(self, killed: list[str]) -> dict[str, Any]:
        """Return what is printed."""
        mids = [Counter(mid for *_, mid in device.got) for device in self.devices]
        late = [at - self.sent_s[mid] for d in self.devices for mid, at in d.got_s.items()]
        acks = [at - self.sent_s[mid] for mid, at in self.acked_s.items()]
        return {
            "sent": len(self.sent_s),
            "acked": len(self.acked_s),
            "refused": dict(self.refused),
            "kills": len(killed),
            "killed": dict(Counter(killed)),
            "reconnects": sum(device.connects - 1 for device in self.devices),
            "lost": self.lost(),
            "doubled": sum(each.total() - len(each) for each in mids),
            "disordered": self.disordered(),
            "ack_max_s": round(max(acks, default=0.0), 2),
            "late_max_s": round(max(late, default=0.0), 2),
        }


async def run(
    messages: int,
    per_s: float,
    parts: list[str],
    kills: int,
    seed: int,
    options: list[str],
    broker: Broker | None = None,
    others: Mapping[str, Callable[[], None]] | None = None,
) -> dict[str, Any]:
    """Run the whole story; returns what is printed. `broker` is the bus, where `up` has none, and
    `others` kill what `up` does not run either."""
    chance, story = random.Random(seed), Story()
    async with (
        running_cluster("--logics", "2", *options) as cluster,
        trio.open_nursery() as nursery,
    ):
        clients: dict[str, Client] = {}
        for uid in PEOPLE:
            clients[uid] = await nursery.start(live, cluster, story, uid, "phone")
        await nursery.start(live, cluster, story, SECOND_DEVICE_OF, "laptop")
        await get_acquainted(cluster, story, clients)
        killer = Killer(cluster, chance, broker, others)
        began_s = trio.current_time()
        async with trio.open_nursery() as working:
            working.start_soon(_write, story, clients, messages, per_s, chance)
            working.start_soon(_kill, killer, killer.order(parts, kills), messages / per_s, chance)
        with trio.move_on_after(FINISH_S):
            while story.lost():
                await trio.sleep(0.1)
        seconds = trio.current_time() - began_s
        nursery.cancel_scope.cancel()
    result = story.report(killer.killed) | {"seconds": round(seconds, 1)}
    if broker:
        result["bus_away_s"] = broker.away_s
    wrong = result["lost"] or result["doubled"] or result["disordered"]
    whole = result["acked"] == result["sent"] == messages
    return result | {"ok": bool(whole and not wrong and set(killer.killed) == set(parts))}


async def live(
    cluster: Cluster,
    story: Story,
    uid: str,
    device: str,
    task_status: trio.TaskStatus[Client] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Be a device for as long as the story lasts."""
    seen = Device(uid)
    story.devices.append(seen)
    token = cluster.token(uid)
    async with connect(gateway(cluster.gateway), token, device=device) as client:
        seen.connects = 1
        events = client.events()
        task_status.started(client)
        async for event in events:
            seen.take(event, trio.current_time())


async def get_acquainted(cluster: Cluster, story: Story, clients: dict[str, Client]) -> None:
    """Make everybody friends of the first, neighbours of each other, and the two groups."""
    host, others = PEOPLE[0], PEOPLE[1:]
    pairs = {(host, other) for other in others} | set(zip(PEOPLE[::2], PEOPLE[1::2], strict=True))
    for uid, other in sorted(pairs):
        await clients[uid].im.friend_request(other)
        await clients[other].im.friend_accept(uid)
        story.members[direct(uid, other)] = [uid, other]
    for name in ("normal", "hot"):
        group = await clients[host].im.group_create(name, others, mid=name)
        story.members[str(group["conv"])] = PEOPLE
    token = cluster.token("operator", server=True)
    async with connect(gateway(cluster.gateway), token, device="console") as operator:
        await operator.im.group_tag(list(story.members)[-1], hot=True)
    await trio.sleep(CALM_S)


async def _write(
    story: Story, clients: dict[str, Client], messages: int, per_s: float, chance: random.Random
) -> None:
    """Send all messages at an even pace, from anybody to any conversation of theirs."""
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(messages):
            await trio.sleep_until(began_s + number / per_s)
            uid = chance.choice(PEOPLE)
            conv = chance.choice(story.conversations_of(uid))
            nursery.start_soon(send, story, clients[uid], conv, f"{uid}-{number}")


async def send(story: Story, client: Client, conv: str, mid: str) -> None:
    """Send one message and note how it was answered."""
    story.sent_s[mid] = trio.current_time()
    try:
        sent = await client.im.send(conv, text=f"this is {mid}", mid=mid, timeout_s=PATIENCE_S)
    except RelaymeshError as error:
        story.refused[str(error)] += 1  # not acknowledged: nothing is owed
        return
    story.acked_s[mid] = trio.current_time()
    story.stands[mid] = (sent.conv, sent.seq)


async def _kill(killer: Killer, order: list[str], within_s: float, chance: random.Random) -> None:
    """Kill one after the other, at about even times within `within_s`."""
    pause_s = within_s / (len(order) + 1)
    async with trio.open_nursery() as starting:
        for part in order:
            await trio.sleep(chance.uniform(0.5, 1.5) * pause_s)
            await killer.kill(part, starting)


@click.command()
@click.option("--messages", default=600, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--per-s", default=30.0, show_default=True, type=click.FloatRange(1, 2000))
@parts_option((*PARTS, DATABASE))
@click.option("--kills", default=12, show_default=True, type=click.IntRange(1, 1000))
@click.option("--seed", default=1, show_default=True)
@database_option
@bus_options
@script_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(
    messages: int,
    per_s: float,
    parts: list[str],
    kills: int,
    seed: int,
    database: str,
    bus: str,
    bus_url: str,
    bus_script: Path,
    as_json: bool,
) -> None:
    """Kill parts of a cluster under instant messages; nothing acknowledged is lost."""
    broker = Broker(bus_script) if bus == "rocketmq" and "bus" in parts else None
    if broker:
        broker.require(bus_url)
    if DATABASE in parts and database == "sqlite":
        raise click.BadParameter("database is a file here; it needs --database postgresql")
    kills = max(kills, len(parts))
    with chosen_database(database) as server:
        options = [*bus_choice.up_options(bus, bus_url), *database_choice.up_options(server)]
        others = {DATABASE: partial(_bounce, server)} if server else {}
        result = trio.run(run, messages, per_s, parts, kills, seed, options, broker, others)
    print_result(result, as_json)


def _bounce(server: PostgresqlServer) -> None:
    server.kill()
    server.start()
