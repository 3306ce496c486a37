"""`relaymesh chaos revoke`: users revoked one after the other while a relay is killed.

Starts a cluster of its own. Each user is connected to each access node, and stands beside others
who are never revoked. Half of the users are revoked as such, the other half by their login; a relay
is killed with SIGKILL among them. Prints

- `users`, `connections`: of those who are revoked; `others`: connections of those who are not;
- `kills`: relays killed; `retried`: revocations asked for again, since their answer was lost;
- `closed`: connections closed with 4011; `otherwise`: those that ended with another code;
- `p50_ms`, `max_ms`: from a revocation's answer to the close of each of its connections;
- `answer_p50_ms`, `answer_max_ms`: from asking for a revocation to its answer;
- `let_in`: connections with a revoked token that were let in afterwards, and calls of the gateway;
- `disturbed`: connections of others that ended, or could not be used at the end;
- `ok`: all closed with 4011 within a second, nobody let in again, nobody else disturbed.
"""

import random
import time
from dataclasses import dataclass, field
from typing import Any

import click
import trio

from bench.chaos.killing import Killer
from bench.cluster import TOKEN_LIFE_S, Cluster, running_cluster
from bench.crowd import quantile
from bench.room import print_result
from proto.close_codes import CloseCode
from proto.tokens import Claims, mint
from relaymesh_client import Disconnected, RelaymeshError, connect, fixed

ROOM = "chaos"
OTHERS = 4
"""Users who are never revoked, each on each access node."""
PAUSE_S = 0.2
LIMIT_MS = 1000.0
PATIENCE_S = 10.0


@dataclass
class Person:
    """A user with a login, and how each of its connections ended."""

    uid: str
    sid: str
    token: str
    answered_s: float = 0.0
    """When the revocation was answered; 0: not yet."""
    ends: list[tuple[int | None, float]] = field(default_factory=list)
    """Code and time of each end."""

    @classmethod
    def new(cls, cluster: Cluster, uid: str) -> "Person":
        """Return a person with a token of the cluster."""
        now_s, sid = time.time(), f"login-of-{uid}"
        claims = Claims(uid, int(now_s) + TOKEN_LIFE_S, iat=now_s, sid=sid)
        return cls(uid, sid, mint(claims, cluster.secret()))

    def late_ms(self) -> list[float]:
        """Return how long after the answer each connection was closed as revoked."""
        ends = [at for code, at in self.ends if code == CloseCode.REVOKED]
        return [max(0.0, (at - self.answered_s) * 1000) for at in ends]


@dataclass
class Story:
    """All that happened in a run."""

    nodes: int
    people: list[Person]
    others: list[Person]
    answers_ms: list[float] = field(default_factory=list)
    retried: int = 0
    let_in: int = 0
    disturbed: int = 0

    def report(self, kills: int) -> dict[str, Any]:
        """Return what is printed."""
        late_ms = sorted(ms for person in self.people for ms in person.late_ms())
        answers_ms = sorted(self.answers_ms)
        ends = sum(len(person.ends) for person in self.people)
        connections = len(self.people) * self.nodes
        whole = len(late_ms) == connections and max(late_ms) <= LIMIT_MS
        return {
            "users": len(self.people),
            "connections": connections,
            "others": len(self.others) * self.nodes,
            "kills": kills,
            "retried": self.retried,
            "closed": len(late_ms),
            "otherwise": ends - len(late_ms),
            "p50_ms": round(quantile(late_ms, 0.5), 1),
            "max_ms": round(quantile(late_ms, 1.0), 1),
            "answer_p50_ms": round(quantile(answers_ms, 0.5), 1),
            "answer_max_ms": round(answers_ms[-1], 1),
            "let_in": self.let_in,
            "disturbed": self.disturbed,
            "ok": whole and bool(kills) and not self.let_in and not self.disturbed,
        }


async def run(users: int, seed: int) -> dict[str, Any]:
    """Run the whole story; returns what is printed."""
    async with running_cluster() as cluster, trio.open_nursery() as nursery:
        killer = Killer(cluster, random.Random(seed))
        people = [Person.new(cluster, f"user-{number}") for number in range(users)]
        others = [Person.new(cluster, f"other-{number}") for number in range(OTHERS)]
        story = Story(len(cluster.access), people, others)
        for person in people + others:
            for url in cluster.access:
                await nursery.start(_stay, url, person)
        await _revoke_all(cluster, story, killer, nursery)
        with trio.move_on_after(PATIENCE_S):
            while any(len(person.ends) < story.nodes for person in people):
                await trio.sleep(0.01)
        story.let_in = await _let_in(cluster, people)
        await _look_at_others(cluster, story)
        nursery.cancel_scope.cancel()
    return story.report(len(killer.killed))


async def _stay(url: str, person: Person, task_status: trio.TaskStatus[None]) -> None:
    """Be connected until that ends."""
    try:
        async with connect(fixed(url), person.token) as client:
            events = client.events()
            await client.join(ROOM)
            task_status.started()
            async for event in events:
                if isinstance(event, Disconnected):
                    person.ends.append((event.code, trio.current_time()))
    except RelaymeshError:
        pass  # Its end is noted: who was revoked can do nothing more.


async def _revoke_all(
    cluster: Cluster, story: Story, killer: Killer, nursery: trio.Nursery
) -> None:
    server = cluster.token("back-end", server=True)
    for number, person in enumerate(story.people):
        if number == len(story.people) // 3:
            await killer.kill("relay", nursery)
        path = f"users/{person.uid}" if number % 2 else f"logins/{person.sid}"
        asked_s = trio.current_time()
        await _revoke(cluster, story, f"/v1/{path}/revoke", server)
        person.answered_s = trio.current_time()
        story.answers_ms.append((person.answered_s - asked_s) * 1000)
        await trio.sleep(PAUSE_S)


async def _revoke(cluster: Cluster, story: Story, path: str, server: str) -> None:
    """Ask until it is answered: a relay that was killed may have had the request."""
    with trio.fail_after(PATIENCE_S):
        while True:
            try:
                await cluster.get_json(path, {}, server)
                return
            except OSError:
                story.retried += 1
                await trio.sleep(0.05)


async def _let_in(cluster: Cluster, people: list[Person]) -> int:
    """Return how often somebody who was revoked gets in again, at a node or at the gateway."""
    let_in = 0
    for person in people:
        for url in cluster.access:
            let_in += await _gets_in(url, person)
        try:
            await cluster.get_json("/v1/connect", token=person.token)
            let_in += 1
        except OSError:
            pass
    return let_in


async def _gets_in(url: str, person: Person) -> bool:
    try:
        async with connect(fixed(url), person.token):
            return True
    except RelaymeshError:
        return False


async def _look_at_others(cluster: Cluster, story: Story) -> None:
    """Note how many of the others' connections have ended, and who of them can do nothing now."""
    story.disturbed = sum(len(person.ends) for person in story.others)
    for person in story.others:
        for url in cluster.access:
            story.disturbed += not await _can_talk(url, person)


async def _can_talk(url: str, person: Person) -> bool:
    try:
        async with connect(fixed(url), person.token) as client:
            await client.join(ROOM)
            await client.chat(ROOM, "still here")
    except RelaymeshError:
        return False
    return True


@click.command()
@click.option("--users", default=24, show_default=True, type=click.IntRange(2, 1000))
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(users: int, seed: int, as_json: bool) -> None:
    """Revoke users while a relay is killed; all their connections close within a second."""
    print_result(trio.run(run, users, seed), as_json)
