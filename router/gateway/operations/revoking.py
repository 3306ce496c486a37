"""Revocation, for operators and back ends: of all that a user was given, or of one login."""

import msgspec
import structlog

from mesh.interface import Mesh
from proto.auth_services import RevokeBody
from proto.priorities import Priority
from proto.services import Method, encode
from router.gateway.operation import Call, Operation
from router.gateway.scopes import Scope

log = structlog.get_logger()


class Revoked(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose tokens count no more, or those of which login."""

    uid: str = ""
    sid: str = ""


class RevokeOperations:
    """Logic writes it down; every node heeds it within a second."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    def operations(self) -> list[Operation]:
        """Return both."""
        return [
            Operation(
                name="revokeUser",
                method="POST",
                path="/v1/users/{uid}/revoke",
                summary="Revoke all tokens of a user up to now, and close its connections.",
                handle=self.user,
                gives=Revoked,
                needs=Scope.REVOKE,
                changes=True,
            ),
            Operation(
                name="revokeLogin",
                method="POST",
                path="/v1/logins/{sid}/revoke",
                summary="Revoke the tokens of one login, and close its connections.",
                handle=self.login,
                gives=Revoked,
                needs=Scope.REVOKE,
                changes=True,
            ),
        ]

    async def user(self, call: Call, _: None) -> bytes:
        """Revoke what the user in the path was given."""
        uid = call.path["uid"]
        log.info("revocation_ordered", uid=uid, by=call.caller.id)
        return await self._revoke(RevokeBody(uid))

    async def login(self, call: Call, _: None) -> bytes:
        """Revoke the login in the path."""
        sid = call.path["sid"]
        log.info("revocation_ordered", sid=sid, by=call.caller.id)
        return await self._revoke(RevokeBody("", sid))

    async def _revoke(self, body: RevokeBody) -> bytes:
        return await self._mesh.request(
            Method.REVOKE, Priority.URGENT, encode(body), repeatable=True
        )
