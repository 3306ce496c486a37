"""Calls under an idempotency key: done once, answered as often as they are sent."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec

from backends.errors import StoreUnavailableError
from backends.idempotency.interface import Idempotency, Standing
from proto.errors import CATALOGUE, ErrorBody, ErrorCode, RequestError
from proto.ids import RandomBits, new_id
from router.gateway.counters import GatewayCounters

RETRY_AFTER_MS = 1000
MAX_ANSWER_BYTES = 64 * 1024
"""Of a first answer that is kept; those of operations that change something are far smaller."""
MAX_KEY_CHARACTERS = 128
FIELD = "idempotency-key"

Work = Callable[[], Awaitable[bytes]]


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """A first answer as it is kept: the body, or the error."""

    body: bytes
    error: ErrorBody | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Answer).decode
_TOO_LARGE = _Answer(
    b"", ErrorBody(ErrorCode.CONFLICT, "It was done; its answer was too large to be kept.", FIELD)
)


class Once:
    """Does the work of each key once.

    What is refused for good is kept as what succeeds is. Where it may be sent again (`overloaded`,
    `unavailable`, …) the key is given back, and the work done anew: ids that follow from the key
    (`own_id`) then tell the cluster that it is the same.
    """

    def __init__(
        self, store: Idempotency, counters: GatewayCounters, random_bits: RandomBits
    ) -> None:
        self._store = store
        self._counters = counters
        self._random_bits = random_bits

    async def run(self, caller: str, key: str, request: str, work: Work) -> bytes:
        """Return what `work` gives, or gave to the first call; raises `RequestError`."""
        use = new_id(self._random_bits)
        first = await self._first(caller, key, request, use)
        if first is not None:
            self._counters.replayed += 1
            return _given(first)
        try:
            body = await work()
        except RequestError as error:
            await self._refused(caller, key, use, error.body)
            raise
        kept = _Answer(body) if len(body) <= MAX_ANSWER_BYTES else _TOO_LARGE
        await self._keep(caller, key, use, kept)
        return body

    async def _first(self, caller: str, key: str, request: str, use: str) -> _Answer | None:
        try:
            begun = await self._store.begin(caller, key, request, use)
        except StoreUnavailableError:
            raise RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=RETRY_AFTER_MS) from None
        if begun.standing is Standing.OTHER:
            message = "This idempotency key was used for another request."
            raise RequestError(ErrorCode.CONFLICT, message, field=FIELD)
        if begun.standing is Standing.BUSY:
            message = "A request with this idempotency key is being done."
            raise RequestError(
                ErrorCode.CONFLICT, message, field=FIELD, retry_after_ms=RETRY_AFTER_MS
            )
        return _decode(begun.answer) if begun.standing is Standing.DONE else None

    async def _refused(self, caller: str, key: str, use: str, error: ErrorBody) -> None:
        if not CATALOGUE[error.code].retry:
            await self._keep(caller, key, use, _Answer(b"", error))
            return
        try:
            await self._store.abandon(caller, key, use)
        except StoreUnavailableError:
            return  # It is given back by itself, after `HOLD_S`.

    async def _keep(self, caller: str, key: str, use: str, answer: _Answer) -> None:
        try:
            await self._store.finish(caller, key, use, _encode(answer))
        except StoreUnavailableError:
            return  # A retry is done again, with the same `own_id`.


def checked_key(header: str) -> str:
    """Return the key in a header `Idempotency-Key`, a string in quotes or bare, "" where there is
    none; raises `RequestError`."""
    quoted = len(header) > 1 and header[0] == header[-1] == '"'
    key = header[1:-1] if quoted else header
    if not header or (key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY_CHARACTERS):
        return key
    message = f"A key has 1 to {MAX_KEY_CHARACTERS} printable ASCII characters."
    raise RequestError(ErrorCode.BAD_FRAME, message, field=FIELD)


def digest(*parts: bytes) -> str:
    """Return what tells a request from others: each part with its length."""
    found = sha256()
    for part in parts:
        found.update(b"%d:%b" % (len(part), part))
    return found.hexdigest()


def own_id(caller: str, key: str) -> str:
    """Return the id that follows from a key: each attempt has the same."""
    return digest(caller.encode(), key.encode())[:32]


def _given(first: _Answer) -> bytes:
    if first.error is not None:
        raise RequestError.from_body(first.error)
    return first.body
