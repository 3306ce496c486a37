"""Group commit: requests that come while a transaction runs share the next one."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import trio
from sqlalchemy import Connection

from backends.database.database import Database
from backends.errors import StoreRefusedError, StoreUnavailableError

R = TypeVar("R")
O = TypeVar("O")  # noqa: E741 - an outcome
Apply = Callable[[Connection, Sequence[R]], Sequence[O]]
"""Does some requests in one transaction and returns an outcome for each, in their order. What it
refuses it returns: an exception undoes the whole transaction."""


class _Waiter(Generic[R, O]):
    __slots__ = ("done", "error", "outcome", "request")

    def __init__(self, request: R) -> None:
        self.request = request
        self.done = trio.Event()
        self.outcome: O | None = None
        self.error: Exception | None = None


class GroupCommit(Generic[R, O]):
    """Gathers requests into transactions of at most `most`; a request is answered by its commit.

    Transactions begin at least `pace_s` seconds apart: one costs much the same for one request as
    for ten, so those of a busy time wait a little for others, and one of a quiet time for nobody.
    One that breaks its transaction is found by doing each alone, and harms no other.
    """

    def __init__(
        self, database: Database, apply: Apply[R, O], *, most: int = 200, pace_s: float = 0.0
    ) -> None:
        self._database = database
        self._apply = apply
        self._most = most
        self._pace_s = pace_s
        self._waiting: deque[_Waiter[R, O]] = deque()
        self._work = trio.Event()
        self.commits = 0
        self.requests = 0

    @property
    def depth(self) -> int:
        """How many requests wait for a transaction."""
        return len(self._waiting)

    async def do(self, request: R) -> O:
        """Do `request` and return its outcome after the commit.

        Raises `StoreUnavailableError` (kept or not, nobody knows) or `StoreRefusedError`.
        """
        waiter: _Waiter[R, O] = _Waiter(request)
        self._waiting.append(waiter)
        self._work.set()
        await waiter.done.wait()
        if waiter.error is not None:
            raise waiter.error
        return waiter.outcome  # type: ignore[return-value]

    async def run(self) -> None:
        """Commit what waits, until cancelled."""
        while True:
            await self._work.wait()
            began = trio.current_time()
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            if not self._waiting:
                self._work = trio.Event()
            if batch:
                await self._commit(batch)
            await trio.sleep_until(began + self._pace_s)

    async def _commit(self, batch: list[_Waiter[R, O]]) -> None:
        try:
            await self._transact(batch)
        except StoreRefusedError as error:
            await self._one_by_one(batch, error)
        except StoreUnavailableError as error:
            for waiter in batch:
                waiter.error = error
        finally:
            for waiter in batch:
                _settle(waiter)

    async def _transact(self, batch: list[_Waiter[R, O]]) -> None:
        requests = [waiter.request for waiter in batch]
        outcomes = await self._database.write(lambda connection: self._apply(connection, requests))
        self.commits += 1
        self.requests += len(batch)
        for waiter, outcome in zip(batch, outcomes, strict=True):
            waiter.outcome = outcome

    async def _one_by_one(self, batch: list[_Waiter[R, O]], error: StoreRefusedError) -> None:
        if len(batch) == 1:
            batch[0].error = error
            return
        for waiter in batch:
            await self._commit([waiter])


def _settle(waiter: _Waiter[R, O]) -> None:
    if waiter.outcome is None and waiter.error is None:
        waiter.error = StoreUnavailableError("the transaction was given up")
    waiter.done.set()
