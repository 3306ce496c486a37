"""Makes a process slow, or stops it, with SIGSTOP and SIGCONT: whatever it does then, it did not
choose to do."""

import os
import signal

import trio

RUN_S = 0.006
STOPPED_S = 0.43
"""Below the half second after which a relay no longer waits for a node that takes nothing."""


async def slow(pid: int, seconds: float) -> None:
    """Let the process have a small part of the time for `seconds`; it runs on afterwards."""
    with trio.move_on_after(seconds):
        while True:
            await stopped(pid, STOPPED_S)
            await trio.sleep(RUN_S)


async def stopped(pid: int, seconds: float) -> None:
    """Stop the process for `seconds`; it runs on afterwards in any case."""
    os.kill(pid, signal.SIGSTOP)
    try:
        await trio.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
