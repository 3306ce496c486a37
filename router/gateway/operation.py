"""One operation of the HTTP API: what it is called, takes and gives, and who may do it.

From these descriptions the routes are made, the requests are checked, and the OpenAPI document is
written, so that none of them can differ from the others.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec

from proto.errors import ErrorCode
from router.gateway.bodies import MAX_BODY_BYTES
from router.gateway.callers import Caller
from router.gateway.scopes import Scope


class Access(Enum):
    """Who may do what no scope guards."""

    ANYBODY = "anybody"
    TOKEN = "token"
    """The holder of any token that is valid."""
    BACK_END = "back end"
    """Who has a scope, whichever: users' calls are bounded by their address, which counts
    requests, so that none of theirs may be many."""
    USER = "user"
    """The holder of a token that is no API key: what is done is done to its own account."""


@dataclass(frozen=True, slots=True)
class Call:
    """A checked call. `path` has the parts of the path by name, `trace` follows it through the
    logs, `own_id` is an id for what comes of it: the same for each attempt under one idempotency
    key. `headers` are the bearer's and the idempotency key's, for a call made of others."""

    caller: Caller
    path: Mapping[str, str]
    trace: str
    own_id: str
    authorization: str = ""
    idempotency_key: str = ""
    address: str = ""
    """Where it comes from."""


Handle = Callable[[Call, Any], Awaitable[object]]
"""Takes a call and what its operation `takes`, and returns what it `gives`, or the bytes of its
JSON; raises `RequestError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation, such as `publishToRoom`.

    `takes` is checked field by field: the body of a POST, the query of a GET; `gives` is the
    answer. `needs` is the scope that a caller must have. One that `changes` something heeds the
    header `Idempotency-Key`; one that `waits` takes one of the gateway's places until it is
    answered. `errors` are those that it may be answered with beside the usual ones.
    """

    name: str
    method: str
    path: str
    summary: str
    handle: Handle
    gives: Any
    takes: type[msgspec.Struct] | None = None
    needs: Scope | Access
    changes: bool = False
    waits: bool = True
    most_bytes: int = MAX_BODY_BYTES
    may_be_empty: bool = False
    """Whether no body stands for one with defaults alone."""
    cross_origin: bool = False
    """Whether pages of the origins in `gateway.allowed_origins` may call it (CORS)."""
    errors: tuple[ErrorCode, ...] = ()

    @property
    def has_body(self) -> bool:
        """Whether what it takes is the body, and not the query."""
        return self.takes is not None and self.method == "POST"
