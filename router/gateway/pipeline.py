"""What every call goes through: who calls, how often, what it says, and whether it is new."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from proto.errors import ErrorCode, RequestError
from proto.ids import RandomBits, new_id
from router.gateway.authority import Authority
from router.gateway.bodies import decode, decode_query
from router.gateway.callers import NOBODY, Caller
from router.gateway.counters import GatewayCounters
from router.gateway.limits import CallLimits
from router.gateway.once import Once, checked_key, digest, own_id
from router.gateway.operation import Access, Call, Operation
from router.gateway.paths import check_path
from router.gateway.scopes import Scope
from router.gateway.settings import GatewaySettings

RETRY_AFTER_MS = 1000

ReadBody = Callable[[int], Awaitable[bytes]]
"""Reads a body of at most so many bytes; raises `RequestError`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came, in a request of its own or in one with others."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    authorization: str
    idempotency_key: str
    trace: str
    read_body: ReadBody
    address: str = ""


class Pipeline:
    """Answers calls of operations; `current` returns the settings that hold now."""

    def __init__(
        self,
        authority: Authority,
        limits: CallLimits,
        once: Once,
        counters: GatewayCounters,
        current: Callable[[], GatewaySettings],
        random_bits: RandomBits,
    ) -> None:
        self._authority = authority
        self._limits = limits
        self._once = once
        self._counters = counters
        self._current = current
        self._random_bits = random_bits

    async def answer(self, operation: Operation, asked: Asked) -> bytes:
        """Return the JSON of the answer; raises `RequestError`."""
        caller = await self._caller(operation, asked.authorization)
        check_path(asked.path, caller)
        key = checked_key(asked.idempotency_key)
        raw = await asked.read_body(operation.most_bytes) if operation.has_body else b""
        body = _taken(operation, asked, raw)
        call = Call(
            caller,
            asked.path,
            asked.trace,
            self._own_id(caller, key),
            asked.authorization,
            key,
            asked.address,
        )
        work = partial(self._work, operation, call, body)
        if not (key and operation.changes):
            return await work()
        path = msgspec.json.encode(asked.path)
        request = digest(operation.name.encode(), path, raw)
        return await self._once.run(caller.id, key, request, work)

    async def _caller(self, operation: Operation, authorization: str) -> Caller:
        if operation.needs is Access.ANYBODY:
            return NOBODY
        caller = self._authority.caller(authorization)
        if isinstance(operation.needs, Scope):
            caller.require(operation.needs)
        elif operation.needs is Access.BACK_END:
            caller.require_back_end()
        elif operation.needs is Access.USER:
            caller.require_user()
        try:
            await self._limits.take(caller)
        except RequestError:
            self._counters.limited += 1
            raise
        return caller

    def _own_id(self, caller: Caller, key: str) -> str:
        return own_id(caller.id, key) if key else new_id(self._random_bits)

    async def _work(self, operation: Operation, call: Call, body: Any) -> bytes:
        async with self._place(operation):
            given = await _handled(operation, call, body)
        self._counters.calls[operation.name] += 1
        return given if isinstance(given, bytes) else msgspec.json.encode(given)

    @asynccontextmanager
    async def _place(self, operation: Operation) -> AsyncIterator[None]:
        if not operation.waits:
            yield
            return
        if self._counters.pending >= self._current().max_pending:
            self._counters.refused += 1
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=RETRY_AFTER_MS)
        self._counters.pending += 1
        try:
            yield
        finally:
            self._counters.pending -= 1


async def _handled(operation: Operation, call: Call, body: Any) -> object:
    try:
        return await operation.handle(call, body)
    except msgspec.MsgspecError:  # Nodes of another version, while the cluster is upgraded.
        message = "An answer of the cluster could not be read."
        raise RequestError(ErrorCode.UNAVAILABLE, message, retry_after_ms=RETRY_AFTER_MS) from None


def _taken(operation: Operation, asked: Asked, raw: bytes) -> Any:
    """Return what the operation takes, checked; raises `RequestError` that names the field."""
    if operation.takes is None:
        return None
    if operation.has_body:
        return decode(raw or b"{}" if operation.may_be_empty else raw, operation.takes)
    return decode_query(asked.query, operation.takes)
