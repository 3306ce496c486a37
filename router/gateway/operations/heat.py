"""What an operator may see and say of a room's heat: its state, a wish, and the tag `often hot`."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog
from msgspec.structs import replace

from backends.errors import StoreUnavailableError
from backends.heat.interface import HeatStore
from mesh.homes import Homes
from mesh.interface import Mesh
from proto.errors import ErrorCode, RequestError
from proto.headers import decode_heads
from proto.heat import Wish
from proto.priorities import Priority
from proto.services import Method
from router.gateway.bodies import WishBody
from router.gateway.operation import Call, Operation
from router.gateway.operations.room_heat import Known, RoomHeat, room_heat
from router.gateway.rules import View
from router.gateway.scopes import Scope
from router.heat.history import BY_OPERATOR, tagged
from router.presence import Presence

RETRY_AFTER_MS = 1000
NO_NODES = "There are no dedicated nodes: router.provisioner.kind is `none`."

log = structlog.get_logger()


class Wished(msgspec.Struct, frozen=True):
    """What is kept of a wish."""

    room: str
    wish: Wish


class Tagged(msgspec.Struct, frozen=True):
    """Who tagged the room, "" where nobody has."""

    room: str
    tag: str


class HeatOperations:
    """A room's heat, a wish for it, and its tag.

    `upgrades` says whether there are dedicated nodes to be had at all.
    """

    def __init__(
        self,
        store: HeatStore,
        mesh: Mesh,
        presence: Presence,
        rules: View,
        homes: Homes,
        upgrades: bool,
    ) -> None:
        self._store = store
        self._mesh = mesh
        self._presence = presence
        self._rules = rules
        self._homes = homes
        self._upgrades = upgrades

    def operations(self) -> list[Operation]:
        """Return what an operator may ask."""
        path, needs, errors = "/v1/rooms/{room}", Scope.OPERATE, (ErrorCode.NOT_FOUND,)
        return [
            Operation(
                name="getRoomHeat",
                method="GET",
                path=f"{path}/heat",
                summary="Tell how hot a room is, and all that bears on it.",
                handle=self.show,
                gives=RoomHeat,
                needs=needs,
                errors=errors,
            ),
            Operation(
                name="wishRoomHeat",
                method="POST",
                path=f"{path}/heat",
                summary="Have a room be hot, be cool, or find its way itself.",
                handle=self.wish,
                takes=WishBody,
                gives=Wished,
                needs=needs,
                changes=True,
                errors=errors,
            ),
            Operation(
                name="tagRoom",
                method="PUT",
                path=f"{path}/tag",
                summary="Have a room start hot when it goes live; there need be no such room yet.",
                handle=self.tag,
                gives=Tagged,
                needs=needs,
                errors=errors,
            ),
            Operation(
                name="untagRoom",
                method="DELETE",
                path=f"{path}/tag",
                summary="Forget a room's tag, and the history that would tag it again.",
                handle=self.untag,
                gives=Tagged,
                needs=needs,
                errors=errors,
            ),
        ]

    async def show(self, call: Call, _: None) -> RoomHeat:
        """Return the room's heat, and all that bears on it."""
        room = self._room(call)
        with _store_errors():
            known = await self._require_known(room)
            acknowledged = await self._store.acknowledged()
        living = {lease.node for lease in self._presence.living("router")}
        gateways = {name: acknowledged.get(name, 0) for name in sorted(living)}
        access = self._presence.living("access")
        seen = room_heat(room, known, access, gateways, self._rules.version)
        return seen if self._upgrades else replace(seen, trouble=NO_NODES)

    async def wish(self, call: Call, body: WishBody) -> Wished:
        """Keep what the operator wants of the room; whichever router looks after it goes by it."""
        room, wish = self._room(call), Wish(body.wish)
        if wish is Wish.HOT and not self._upgrades:
            raise RequestError(ErrorCode.UNAVAILABLE, NO_NODES, field="wish")
        with _store_errors():
            await self._require_known(room)
            await self._store.wish(room, wish)
        log.info("room_wish", room=room, wish=wish.value)
        return Wished(room, wish)

    async def tag(self, call: Call, _: None) -> Tagged:
        """Have the room start hot when it goes live; there need be no such room yet."""
        room = self._room(call)
        with _store_errors():
            await self._store.retag(room, tagged)
        log.info("room_tagged", room=room)
        return Tagged(room, BY_OPERATOR)

    async def untag(self, call: Call, _: None) -> Tagged:
        """Forget the room's tag, and the history that would tag it again."""
        room = self._room(call)
        with _store_errors():
            await self._store.untag(room)
        log.info("room_untagged", room=room)
        return Tagged(room, "")

    def _room(self, call: Call) -> str:
        """Return the room in the path; raises `RequestError` where it is not at home here."""
        room = call.path["room"]
        home = self._homes.elsewhere(self._homes.of(Method.HEADS, room))
        if home:
            message = f"{room} is at home in region {home}: ask a router there."
            raise RequestError(ErrorCode.NOT_FOUND, message, field="room")
        return room

    async def _require_known(self, room: str) -> Known:
        known = await self._known(room)
        if not known.exists():
            message = f"There is no room {room}: nobody is in it, and nothing was said there."
            raise RequestError(ErrorCode.NOT_FOUND, message, field="room")
        return known

    async def _known(self, room: str) -> Known:
        kept = await self._store.load(room)
        tag = (await self._store.tags()).get(room)
        wish = (await self._store.wishes()).get(room, Wish.AUTO)
        try:
            raw = await self._mesh.request(
                Method.HEADS, Priority.URGENT, room=room, repeatable=True
            )
        except RequestError as error:
            log.warning("room_heads_unknown", room=room, error=error.body.code.value)
            return Known(kept, tag, wish, None, None)
        heads = decode_heads(raw)
        return Known(kept, tag, wish, heads.online, any(heads.seqs))


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except StoreUnavailableError:
        raise RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=RETRY_AFTER_MS) from None
