"""Stands where a subject's handlers are not there yet; goes when the last of them is."""

from typing import Any

from logic.im.service import Asker
from proto.errors import ErrorCode, RequestError


async def not_yet(asker: Asker, request: Any) -> bytes:  # noqa: ARG001
    """Refuse: nobody serves this request yet."""
    raise RequestError(ErrorCode.UNKNOWN_OP, "op: this version does not serve it yet", field="op")
