"""The parts of paths that name something, and the paths that operations have. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starlette.routing import compile_path

from proto.conversations import GROUP_PATTERN
from proto.errors import ErrorCode, RequestError
from proto.ids import NODE_PATTERN, ROOM_PATTERN, SESSION_ID_PATTERN, UID_PATTERN
from router.gateway.callers import Caller
from router.gateway.operation import Operation


class Parameter(NamedTuple):
    """What a part of a path may be: a pattern, and how to tell who sends something else."""

    pattern: str
    advice: str


PARAMETERS: dict[str, Parameter] = {
    "room": Parameter(ROOM_PATTERN, "Name a room: 1 to 64 of the characters A-Z a-z 0-9 _ . : -"),
    "uid": Parameter(UID_PATTERN, "Name a user: 1 to 64 of the characters A-Z a-z 0-9 _ . : @ -"),
    "node": Parameter(NODE_PATTERN, "Name a node: 1 to 63 of the characters a-z 0-9 -"),
    "sid": Parameter(SESSION_ID_PATTERN, "Name a login, as GET /v1/auth/logins does"),
    "group": Parameter(GROUP_PATTERN, "Name a group, such as g:5f0c9a1b2d3e4f50"),
}

_PATTERNS = {name: re.compile(parameter.pattern) for name, parameter in PARAMETERS.items()}


def check_path(path: Mapping[str, str], caller: Caller) -> None:
    """Raise `RequestError` for a part that can be no such name, or that `caller` may not name."""
    for name, value in path.items():
        if not _PATTERNS[name].match(value):
            raise RequestError(ErrorCode.BAD_FRAME, PARAMETERS[name].advice, field=name)
    if "room" in path:
        caller.require_room(path["room"])
    if "uid" in path:
        caller.require_users([path["uid"]], "uid")
    if "sid" in path:  # It may be any user's: only the cluster's own begin with the uid.
        caller.require_everybody()


class Paths:
    """Finds the operation for a method and a path, for calls that come in no request of their
    own."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._found = [(compile_path(each.path)[0], each) for each in operations]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation with the parts of its path, or `None` where there is none."""
        for pattern, operation in self._found:
            match = pattern.match(path)
            if match and operation.method == method:
                return operation, match.groupdict()
        return None
