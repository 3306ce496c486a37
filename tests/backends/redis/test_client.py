from functools import partial

import pytest
import trio
import trio.testing
from redis.exceptions import BusyLoadingError

from backends.errors import StoreOverloadedError, StoreUnavailableError
from backends.redis.client import open_redis
from backends.redis.lane import Counters, Lane
from backends.redis.pool import Pool
from backends.redis.scripts import script
from backends.redis.settings import StoreSettings


async def test_what_waits_at_the_same_moment_shares_pipelines(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        async with trio.open_nursery() as nursery:
            for i in range(500):
                nursery.start_soon(redis.call, f"k{i}", ("SET", f"k{i}", i))
        assert redis.counters.commands == 500
        assert redis.counters.pipelines < 50
        assert await redis.call("k7", ("GET", "k7")) == b"7"


async def test_a_refused_command_does_not_fail_its_neighbours(shared_redis):
    settings = StoreSettings(url=shared_redis.url, connections=1)
    results = {}

    async def call(redis, name, command):
        try:
            results[name] = await redis.call("k", command)
        except StoreUnavailableError as error:
            results[name] = str(error)

    async with open_redis(settings) as redis:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, redis, "good", ("SET", "k", "text"))
            nursery.start_soon(call, redis, "bad", ("NO_SUCH_COMMAND",))
            nursery.start_soon(call, redis, "other", ("SET", "l", "text"))
        with pytest.raises(TypeError):
            await redis.call("k", ("SET", "k", None))
        assert await redis.call("k", ("GET", "k")) == b"text"
    assert results["good"] == results["other"] == b"OK"
    assert "unknown command" in results["bad"].lower()


async def test_one_key_is_one_order(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url, pipeline_commands=7)) as redis:
        lists = await redis.call_many("k", [("RPUSH", "k", i) for i in range(100)])
        assert lists == list(range(1, 101))


async def test_many_commands_are_spread_and_answered_in_order(shared_redis):
    async with open_redis(StoreSettings(url=shared_redis.url, pipeline_commands=10)) as redis:
        await redis.call_spread([("SET", f"k{i}", i) for i in range(95)])
        replies = await redis.call_spread([("GET", f"k{i}") for i in range(95)])
        assert [int(reply) for reply in replies] == list(range(95))
        with pytest.raises(StoreUnavailableError):
            await redis.call_spread([("LPOP", f"k{i}") for i in range(95)])


async def test_scripts_are_taught_again_when_the_store_has_forgotten_them(shared_redis):
    hold = script("duty_hold")
    async with open_redis(StoreSettings(url=shared_redis.url)) as redis:
        for holder in ("a", "b"):
            await redis.call("", ("SCRIPT", "FLUSH"))
            commands = [
                ("SET", f"before-{holder}", "1"),
                hold.command([f"{{d}}{holder}", f"{{d}}{holder}:fence"], holder, 1000),
                ("GET", f"before-{holder}"),
            ]
            done, fence, before = await redis.call_many("d", commands)
            assert (done, before) == (b"OK", b"1")
            assert fence > 0


async def test_a_restart_is_not_seen_by_callers(redis_server):
    async with open_redis(StoreSettings(url=redis_server.url)) as redis:
        await redis.call("k", ("SET", "k", "1"))
        redis_server.kill()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(redis.call, "k", ("SET", "k", "2"))
            while not redis.counters.retries:
                await trio.lowlevel.checkpoint()
            redis_server.start()
        assert await redis.call("k", ("GET", "k")) == b"2"
        assert redis.counters.failures == 0


async def test_patience_ends(redis_server):
    redis_server.kill()
    async with open_redis(StoreSettings(url=redis_server.url, patience_s=0.05)) as redis:
        with pytest.raises(StoreUnavailableError, match="did not answer"):
            await redis.call("k", ("GET", "k"))
        assert redis.counters.failures == 1
        assert redis.depth == 0


class HeldPipeline:
    """A server that answers when the test says so."""

    def __init__(self):
        self.go_on = trio.Event()
        self.runs = []

    async def run(self, commands, packed):
        await self.go_on.wait()
        self.runs.append(len(commands))
        return [b"OK"] * len(commands), ""


async def test_a_full_queue_refuses_at_once_and_keeps_what_it_has():
    pipeline, counters = HeldPipeline(), Counters()
    settings = StoreSettings(connections=1, queue_commands=10)
    lane = Lane(pipeline, settings, counters)
    async with trio.open_nursery() as running:
        running.start_soon(lane.run)
        async with trio.open_nursery() as callers:
            for _ in range(3):  # one on its way, two waiting
                callers.start_soon(lane.submit, [("GET", "k")] * 5)
                await trio.testing.wait_all_tasks_blocked()
            assert lane.depth == 10
            with pytest.raises(StoreOverloadedError):
                await lane.submit([("GET", "k")])
            pipeline.go_on.set()
        assert (pipeline.runs, counters.refused, lane.depth) == ([5, 10], 1, 0)
        running.cancel_scope.cancel()


async def test_a_caller_that_gives_up_leaves_nothing_behind(redis_server):
    redis_server.kill()
    async with open_redis(StoreSettings(url=redis_server.url)) as redis:
        with trio.move_on_after(0.01):
            await redis.call("k", ("SET", "k", "given up"))
        redis_server.start()
        assert await redis.call("k", ("GET", "k")) is None


@pytest.mark.parametrize("url", ["redis://:notaport", "http://x"])
async def test_a_url_that_can_not_be_one_is_refused(url):
    with pytest.raises(ValueError):
        async with open_redis(StoreSettings(url=url)):
            pass


class LoadingServer:
    """A server that loads its data for the first commands, as one that was killed does."""

    def __init__(self, loading: int) -> None:
        self._loading = loading

    async def serve(self, stream):
        while await stream.receive_some(4096):
            self._loading -= 1
            loading = b"-LOADING Redis is loading the dataset in memory\r\n"
            await stream.send_all(loading if self._loading >= 0 else b"+here\r\n")


async def test_a_server_that_loads_its_data_is_waited_for(nursery, free_port):
    server = LoadingServer(3)
    await nursery.start(partial(trio.serve_tcp, server.serve, free_port, host="127.0.0.1"))
    url = f"redis://127.0.0.1:{free_port}"
    async with open_redis(StoreSettings(url=url, connections=1)) as redis:
        assert await redis.call("k", ("GET", "k")) == b"here"
    pool = Pool(f"redis://127.0.0.1:{free_port}", 1.0)
    server._loading = 1
    with pytest.raises(BusyLoadingError):
        await pool.execute("GET", "k")
    assert await pool.execute("GET", "k") == b"here"
    pool.close()
