"""Many calls in one request, each answered by itself."""

from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import trio

from proto.errors import ErrorBody, ErrorCode, RequestError
from router.gateway.bodies import MAX_LIST_BODY_BYTES
from router.gateway.counters import GatewayCounters
from router.gateway.operation import Access, Call, Operation
from router.gateway.paths import Paths
from router.gateway.pipeline import Asked, Pipeline
from router.gateway.problems import Problem, problem

MAX_CALLS = 100
AT_ONCE = 16
"""Calls of one batch that are under way at a time, where they need no order."""
MAX_KEY_CHARACTERS = 120
"""Of the key of a batch: what is put behind it for each call must fit."""


class BatchCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One call: as in a request of its own. Without an `idempotency_key` it has the batch's, if
    there is one, with its number in the batch behind."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: Annotated[str, msgspec.Meta(pattern=r"^/v1/", max_length=2000)]
    body: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    idempotency_key: Annotated[str, msgspec.Meta(max_length=128)] = ""


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Calls, done one after the other, or side by side where their `order` is not `kept`."""

    calls: Annotated[list[BatchCall], msgspec.Meta(min_length=1, max_length=MAX_CALLS)]
    order: Literal["kept", "any"] = "any"


class BatchAnswer(msgspec.Struct, frozen=True):
    """What one call was answered: a status, and the answer or the problem."""

    status: int
    body: msgspec.Raw


class BatchAnswers(msgspec.Struct, frozen=True):
    """An answer for each call, in the order of the calls."""

    answers: list[BatchAnswer]


class BatchOperations:
    """Answers the calls of a batch as the pipeline answers each: with its own checks and limits."""

    def __init__(
        self, pipeline: Pipeline, others: list[Operation], counters: GatewayCounters
    ) -> None:
        self._pipeline = pipeline
        self._paths = Paths(each for each in others if _may_be_batched(each))
        self._counters = counters

    def operations(self) -> list[Operation]:
        """Return the batch."""
        return [
            Operation(
                name="batch",
                method="POST",
                path="/v1/batch",
                summary="Make up to 100 calls, each answered by itself.",
                handle=self.batch,
                takes=Batch,
                gives=BatchAnswers,
                needs=Access.BACK_END,
                waits=False,
                most_bytes=MAX_LIST_BODY_BYTES,
            )
        ]

    async def batch(self, call: Call, batch: Batch) -> BatchAnswers:
        """Return what each call is answered."""
        if len(call.idempotency_key) > MAX_KEY_CHARACTERS:
            message = f"The key of a batch has at most {MAX_KEY_CHARACTERS} characters."
            raise RequestError(ErrorCode.BAD_FRAME, message, field="idempotency-key")
        calls = list(enumerate(batch.calls))
        if batch.order == "kept":
            return BatchAnswers([await self._answer(call, each, number) for number, each in calls])
        answers: dict[int, BatchAnswer] = {}
        limit = trio.CapacityLimiter(AT_ONCE)

        async def take(number: int, each: BatchCall) -> None:
            async with limit:
                answers[number] = await self._answer(call, each, number)

        async with trio.open_nursery() as nursery:
            for number, each in calls:
                nursery.start_soon(take, number, each)
        return BatchAnswers([answers[number] for number, _ in calls])

    async def _answer(self, call: Call, each: BatchCall, number: int) -> BatchAnswer:
        try:
            url = urlsplit(each.path)
            found = self._paths.find(each.method, url.path)
            if found is None:
                return _refused(_no_such(each), call.trace, 404)
            operation, path = found
            asked = _asked(call, each, number, path, dict(parse_qsl(url.query)))
            return BatchAnswer(200, msgspec.Raw(await self._pipeline.answer(operation, asked)))
        except RequestError as error:
            self._counters.errors[error.body.code.value] += 1
            return _refused(error.body, call.trace)


def _may_be_batched(operation: Operation) -> bool:
    """Leave out what anybody may send: a batch would be many guesses of a password at once."""
    return operation.needs is not Access.ANYBODY or not operation.has_body


def _asked(
    call: Call, each: BatchCall, number: int, path: dict[str, str], query: dict[str, str]
) -> Asked:
    shared = f"{call.idempotency_key}/{number}" if call.idempotency_key else ""

    async def read_body(most_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        raw = bytes(each.body)
        if len(raw) > most_bytes:
            message = f"A body has at most {most_bytes} bytes."
            raise RequestError(ErrorCode.TOO_LARGE, message)
        return raw

    return Asked(
        path={name: unquote(value) for name, value in path.items()},
        query=query,
        authorization=call.authorization,
        idempotency_key=each.idempotency_key or shared,
        trace=call.trace,
        read_body=read_body,
        address=call.address,
    )


def _no_such(each: BatchCall) -> ErrorBody:
    return ErrorBody(ErrorCode.UNKNOWN_OP, f"No operation {each.method} {each.path}.", "path")


def _refused(error: ErrorBody, trace: str, status: int = 0) -> BatchAnswer:
    found: Problem = problem(error, trace, status)
    return BatchAnswer(found.status, msgspec.Raw(msgspec.json.encode(found)))
