"""Rooms are numbered at home alone: a node with another idea of the homes is told so."""

from logic.dispatch import Handle
from proto.errors import ErrorCode, RequestError
from proto.headers import RequestHeader
from proto.regions import Regions

RETRY_MS = 5000
"""Configs that are being changed agree again in a while."""


def at_home(handle: Handle, regions: Regions, own: str) -> Handle:
    """Return `handle` for the rooms that are at home in region `own`."""

    async def only_here(header: RequestHeader, body: bytes) -> bytes:
        if header.room and regions.home_of_room(header.room) not in ("", own):
            raise RequestError(
                ErrorCode.HOME_UNREACHABLE,
                f"room: {header.room} is at home in another region than {own}",
                field="room",
                retry_after_ms=RETRY_MS,
            )
        return await handle(header, body)

    return only_here
