"""Seeded chaos: whatever breaks, what was acknowledged is at every member, once and in order."""

import random
from typing import Any

import pytest
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backends.room_log.retention import Retention
from tests.simulation.crowd import members, talking
from tests.simulation.faults import FAULTS, Fault, happen
from tests.simulation.harness import Cluster, Shape, simulate
from tests.simulation.ledger import Ledger
from tests.simulation.verdict import judge, rest


def chaos(
    seed: int, faults: list[Fault], crowd: int = 8, pause_s: float = 1.0
) -> list[dict[str, Any]]:
    """Let `faults` happen while people talk, judge at rest, and return the run's log."""

    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        people = members(cluster, ledger, crowd)
        async with talking(cluster, people):
            await happen(cluster, faults, pause_s)
        await rest(cluster, people)
        await judge(cluster, ledger, people)
        assert len({(sent.room, sent.priority) for sent in ledger.sent}) > 1

    return simulate(seed, main)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_one_fault_loses_doubles_and_disorders_nothing(fault: Fault) -> None:
    chaos(7, [fault, fault], crowd=6)


@pytest.mark.parametrize("seed", [1, 2])
def test_many_faults_at_once_lose_double_and_disorder_nothing(seed: int) -> None:
    chaos(seed, random.Random(seed).choices(FAULTS, k=16), pause_s=0.4)


def test_what_the_log_keeps_no_longer_is_told_though_nobody_says_anything_more() -> None:
    async def main(cluster: Cluster) -> None:
        ledger = Ledger()
        speaker, listener = members(cluster, ledger, 2)
        await speaker.connected.wait()
        await listener.connected.wait()
        await speaker.say("chat", "den", text="heard")
        cluster.broker.stop()  # The way down is closed: first the bus, then logic with its queue.
        lost = await speaker.say("chat", "den", text="lost")
        for process in cluster.of_role("logic"):
            cluster.kill(process.name)
            cluster.start(process.name)
        for process in cluster.of_role("router"):
            cluster.network.freeze(process.name)
        await trio.sleep(2.5)
        cluster.broker.start()
        await rest(cluster, [speaker, listener])
        await judge(cluster, ledger, [speaker, listener])
        assert listener.streams["den", "normal"].was_told(lost.seq)

    simulate(6, main, Shape(retention=Retention(age_s=1.0)))


# Without shrinking: it would take longer than reading the schedule that failed.
@pytest.mark.fuzz
@settings(max_examples=40, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32), st.lists(st.sampled_from(FAULTS), min_size=2, max_size=8))
def test_any_schedule_of_faults(seed: int, faults: list[Fault]) -> None:
    chaos(seed, faults, crowd=5, pause_s=0.6)


def test_the_same_seed_gives_the_same_run() -> None:
    faults = random.Random(3).choices(FAULTS, k=6)
    first, second = (chaos(3, faults, crowd=5, pause_s=0.5) for _ in range(2))
    assert len(first) > 100
    assert [repr(entry) for entry in first] == [repr(entry) for entry in second]
    assert first != chaos(4, faults, crowd=5, pause_s=0.5)
