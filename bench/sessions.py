"""`relaymesh bench sessions`: pages of the session list while messages arrive.

A database of its own, in this process: one user with many conversations, some of them hot groups,
among twenty users more. One task asks for pages through the handler that logic has, another writes
messages to the user's conversations and moves its list, as diffusion does. Prints

- `sessions`, `hot`: the user's conversations, and how many of them are hot groups;
- `pages`: first pages asked for, of `limit` sessions each, and as many from somewhere further down;
- `p50_ms`, `p99_ms`: of a first page, from the request's JSON to the answer's;
- `next_p50_ms`, `next_p99_ms`: of a page by cursor;
- `bare_p50_ms`, `bare_p99_ms`: the same SQL for a first page, by the driver alone, in the same
  minutes: what is on top of it is ours;
- `written_per_s`: messages written meanwhile, `transactions_per_s` in so many transactions;
- `database`: `sqlite` (`synchronous=FULL`) or `postgresql`;
- `ok`: `p99_ms` at most `wanted_ms`.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import click
import msgspec
import trio
from sqlalchemy import Connection, bindparam, insert, update

from backends.database.appending import NewMessage, append
from backends.database.database import Database
from backends.database.postgresql_server import NoPostgresqlError, running_postgresql
from backends.database.schema import conversations, groups, messages, sessions
from backends.database.session_list import bare_first_page
from backends.database.settings import DatabaseSettings
from backends.database.versions import migrate
from bench.crowd import quantile
from bench.room import print_result
from logic.im.service import Asker
from logic.sessions.handlers import handlers
from proto.client_requests import parse_im
from proto.requests.messages import Sessions

WANTED_MS = 20.0
LIMIT = 50
USERS = 20
TRANSACTIONS_PER_S = 50
MESSAGES = 10
UID = "user-0"
PAUSE_S = 0.002
START_MS = 1_790_000_000_000
BODY = msgspec.json.encode({"text": "x" * 200})
ASKER = Asker(UID, "somebody", "viewer", "phone", "bench")


class Bench:
    """The list of one user, asked for and written to."""

    def __init__(self, database: Database, convs: list[str], seed: int) -> None:
        self._database = database
        self._convs = convs
        self._chance = random.Random(seed)
        self._handle = handlers(database)[Sessions]
        self.transactions = 0
        self.first_ms: list[float] = []
        self.next_ms: list[float] = []
        self.bare_ms: list[float] = []

    async def ask(self, pages: int) -> None:
        """Ask by turns for the first page, for one further down, and by the driver alone."""
        cursor = ""
        for _ in range(pages):
            answer, took_ms = await self._page("")
            self.first_ms.append(took_ms)
            further, took_ms = await self._page(cursor or answer["cursor"])
            self.next_ms.append(took_ms)
            cursor = further["cursor"]
            self.bare_ms.append(await self._database.read(_bare))
            await trio.sleep(self._chance.uniform(0, PAUSE_S))

    async def write(self) -> None:
        """Write to the user's conversations, and move its list, until cancelled."""
        began = trio.current_time()
        while True:
            convs = self._chance.sample(self._convs, MESSAGES)
            await self._database.write(partial(_arrive, convs=convs, number=self.transactions))
            self.transactions += 1
            await trio.sleep_until(began + self.transactions / TRANSACTIONS_PER_S)

    async def _page(self, cursor: str) -> tuple[dict[str, Any], float]:
        body = msgspec.json.encode({"op": "sessions", "id": 1, "limit": LIMIT, "cursor": cursor})
        began = time.perf_counter()
        answer = await self._handle(ASKER, parse_im(body))
        took_ms = (time.perf_counter() - began) * 1000
        return msgspec.json.decode(answer), took_ms


def _bare(connection: Connection) -> float:
    statement, values = bare_first_page(connection, UID, LIMIT + 1)
    began = time.perf_counter()
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(statement, values)
        cursor.fetchall()
    return (time.perf_counter() - began) * 1000


_MOVE = (
    update(sessions)
    .where(sessions.c.uid == UID, sessions.c.conv == bindparam("its_conv"), ~sessions.c.hot)
    .values(last_seq=bindparam("seq"), last_count=bindparam("count"), last_ts=bindparam("ts"))
)


def _arrive(connection: Connection, convs: list[str], number: int) -> None:
    new = [NewMessage(conv, "user-1", "other", "message", f"m{number}", BODY) for conv in convs]
    stood = append(connection, new, START_MS + 1000 + number)
    moved = [
        {"its_conv": each.conv, "seq": each.seq, "count": each.count, "ts": each.ts_ms}
        for each in stood
    ]
    connection.execute(_MOVE, moved)


def fill(connection: Connection, convs: list[str], hot: int) -> None:
    """Make the conversations, each with a message, and all users' lists of them."""
    heads = [
        {"conv": conv, "last_seq": 1, "last_count": 1, "last_ts": START_MS + n, "hot": n < hot}
        for n, conv in enumerate(convs)
    ]
    connection.execute(insert(conversations), heads)
    named = {"owner": UID, "member_count": USERS, "created": START_MS}
    connection.execute(
        insert(groups), [{"conv": c, "name": f"the group {c}"} | named for c in convs]
    )
    connection.execute(insert(messages), list(map(_message, heads)))
    for user in range(USERS + 1):
        rows = [head | {"uid": f"user-{user}", "last_seq": 1} for head in heads]
        connection.execute(insert(sessions), rows)


def _message(head: dict[str, Any]) -> dict[str, Any]:
    row = {"conv": head["conv"], "seq": 1, "mid_key": head["conv"].encode()[-16:], "count": 1}
    row |= {"sender": "user-1", "name": "other", "kind": "message", "mid": "m", "recalled": False}
    return row | {"ts": head["last_ts"], "body": BODY}


async def measure(url: str, count: int, hot: int, pages: int, seed: int) -> dict[str, Any]:
    """Run the measurement on an empty database at `url`; returns what is printed."""
    convs = [f"g:group-{number:05}" for number in range(count)]
    with closing(Database(DatabaseSettings(url=url))) as database:
        await database.write(migrate)
        await database.write(lambda connection: fill(connection, convs, hot))
        bench = Bench(database, convs, seed)
        await bench.ask(20)  # statements compiled, pages in memory
        bench.first_ms, bench.next_ms, bench.bare_ms = [], [], []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.write)
            began = trio.current_time()
            await bench.ask(pages)
            took_s = trio.current_time() - began
            nursery.cancel_scope.cancel()
    return {"sessions": count, "hot": hot, "limit": LIMIT} | _report(bench, took_s, url)


def _report(bench: Bench, took_s: float, url: str) -> dict[str, Any]:
    result: dict[str, Any] = {"pages": len(bench.first_ms)}
    measured = {"": bench.first_ms, "next_": bench.next_ms, "bare_": bench.bare_ms}
    for name, values in measured.items():
        ordered = sorted(values)
        result[f"{name}p50_ms"] = round(quantile(ordered, 0.5), 2)
        result[f"{name}p99_ms"] = round(quantile(ordered, 0.99), 2)
    return result | {
        "written_per_s": round(bench.transactions * MESSAGES / took_s),
        "transactions_per_s": round(bench.transactions / took_s),
        "database": "sqlite" if url.startswith("sqlite:") else "postgresql",
        "wanted_ms": WANTED_MS,
        "ok": result["p99_ms"] <= WANTED_MS,
    }


@contextmanager
def _empty_database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="relaymesh-") as folder:
            yield f"sqlite:///{folder}/sessions.db"
        return
    try:
        with running_postgresql() as server:
            yield server.url()
    except NoPostgresqlError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option(
    "--sessions", "count", default=1000, show_default=True, type=click.IntRange(20, 99999)
)
@click.option("--hot", default=50, show_default=True, type=click.IntRange(0))
@click.option("--pages", default=1000, show_default=True, type=click.IntRange(10))
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--database",
    type=click.Choice(["sqlite", "postgresql"]),
    default="sqlite",
    show_default=True,
    help="PostgreSQL must be installed: a server of its own is started.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def command(count: int, hot: int, pages: int, seed: int, database: str, as_json: bool) -> None:
    """Measure pages of the session list while messages arrive."""
    if hot > count:
        raise click.BadParameter(
            f"expected at most --sessions ({count}), got {hot}", param_hint="--hot"
        )
    with _empty_database(database) as url:
        print_result(trio.run(measure, url, count, hot, pages, seed), as_json)
