"""Routes of users who are at home in another region: written there, through the mesh."""

from collections.abc import Sequence

from backends.errors import StoreUnavailableError
from backends.routes.interface import UserRoute
from mesh.interface import Mesh
from proto.errors import RequestError
from proto.priorities import Priority
from proto.services import Method, RouteChange, RoutesBody, encode


class MeshRoutes:
    """Implements `RouteWriter` from `region`, in the users' home."""

    def __init__(self, mesh: Mesh, region: str) -> None:
        self._mesh = mesh
        self._region = region

    async def add(self, routes: Sequence[UserRoute]) -> None:
        """See `RouteWriter`."""
        await self._tell(RoutesBody(self._region, add=list(map(_change, routes))))

    async def remove(self, routes: Sequence[UserRoute]) -> None:
        """See `RouteWriter`."""
        await self._tell(RoutesBody(self._region, remove=list(map(_change, routes))))

    async def _tell(self, body: RoutesBody) -> None:
        try:
            await self._mesh.request(Method.ROUTES, Priority.NORMAL, encode(body), repeatable=True)
        except RequestError as error:
            raise StoreUnavailableError(str(error)) from error


def _change(user_route: UserRoute) -> RouteChange:
    uid, route = user_route
    return RouteChange(uid, route.node, route.incarnation, route.connection, route.device)
