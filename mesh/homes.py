"""Where a question is at home: which region is asked."""

from proto.regions import Regions
from proto.services import SERVICE_IM, Method


class Homes:
    """The regions as a node of region `own` sees them."""

    def __init__(self, regions: Regions, own: str) -> None:
        self._regions = regions
        self._own = own

    def of(self, method: Method, room: str) -> str:
        """Return the region to ask: the room's, or without a room (which instant messages never
        have) the users'."""
        if method.service == SERVICE_IM or not room:
            return self._regions.home_of_users
        return self._regions.home_of_room(room)

    def elsewhere(self, region: str) -> str:
        """Return `region`, or "" where it is this one, or the only one."""
        return "" if region == self._own else region
