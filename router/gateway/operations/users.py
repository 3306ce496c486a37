"""Who is online, and sending a user out."""

import msgspec
import structlog

from mesh.interface import Mesh, RelayDownError
from proto.envelopes import Kind
from proto.envelopes import encode as envelope
from proto.errors import ErrorCode, RequestError
from proto.headers import KickHeader, encode_header
from proto.im_services import PresenceBody, UserPresence, decode_presence_answer
from proto.priorities import Priority
from proto.services import Method, encode
from router.gateway.bodies import MAX_LIST_BODY_BYTES, Kick, PresenceOf
from router.gateway.operation import Call, Operation
from router.gateway.scopes import Scope

RETRY_AFTER_MS = 1000
EVERY_RELAY = ""

log = structlog.get_logger()


class DeviceState(msgspec.Struct, frozen=True):
    """A device, and when it was last heard (Unix milliseconds, 0: never)."""

    device: str
    online: bool
    seen_ms: int


class UserState(msgspec.Struct, frozen=True):
    """A user: `online`, `offline`, or `unknown` while nothing can be told; and its devices, those
    that take instant messages."""

    uid: str
    state: str
    devices: list[DeviceState]


class UserStates(msgspec.Struct, frozen=True):
    """The users asked for, in that order."""

    users: list[UserState]


class Kicked(msgspec.Struct, frozen=True):
    """Whose connections are being closed, and how many relays were told of it."""

    uid: str
    device: str
    relays: int


class UserOperations:
    """Presence from logic; a kick goes to every access node, over every relay."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def operations(self) -> list[Operation]:
        """Return what a back end may ask about users."""
        return [
            Operation(
                name="getPresence",
                method="POST",
                path="/v1/presence",
                summary="Tell of up to 1,000 users who is online, and when each device was heard.",
                handle=self.presence,
                takes=PresenceOf,
                gives=UserStates,
                needs=Scope.READ_PRESENCE,
                most_bytes=MAX_LIST_BODY_BYTES,
            ),
            Operation(
                name="kickUser",
                method="POST",
                path="/v1/users/{uid}/kick",
                summary="Close a user's connections with 4012, in all regions.",
                handle=self.kick,
                takes=Kick,
                gives=Kicked,
                needs=Scope.KICK,
                changes=True,
                may_be_empty=True,
            ),
        ]

    async def presence(self, call: Call, asked: PresenceOf) -> UserStates:
        """Return who of the users is online."""
        call.caller.require_users(asked.uids, "uids")
        raw = await self._mesh.request(
            Method.PRESENCE,
            Priority.NORMAL,
            encode(PresenceBody(asked.uids)),
            trace=call.trace,
            repeatable=True,
        )
        return UserStates(list(map(_state, decode_presence_answer(raw).users)))

    async def kick(self, call: Call, asked: Kick) -> Kicked:
        """Have every node close the user's connections.

        Each relay tells all nodes, so that one that dies now takes nothing with it. Nodes know the
        kick by its id: who has come back meanwhile is not sent out again.
        """
        uid, device = call.path["uid"], asked.device or ""
        header = encode_header(KickHeader(call.own_id, uid, device, asked.reason, call.trace))
        raw = envelope(Kind.KICK, Priority.URGENT, header=header)
        told = 0
        for relay in self._mesh.carriers(EVERY_RELAY):
            told += await self._tell(relay, raw)
        if not told:
            raise RequestError(ErrorCode.UNAVAILABLE, retry_after_ms=RETRY_AFTER_MS)
        log.info("user_kicked", uid=uid, device=device, by=call.caller.id, trace=call.trace)
        return Kicked(uid, device, told)

    async def _tell(self, relay: str, raw: bytes) -> bool:
        try:
            await self._mesh.send(relay, Priority.URGENT, raw)
        except RelayDownError:
            return False
        return True


def _state(user: UserPresence) -> UserState:
    devices = [DeviceState(each.device, each.online, each.seen_ms) for each in user.devices]
    return UserState(user.uid, user.state, devices)
