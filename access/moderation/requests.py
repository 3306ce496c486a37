"""What moderators ask: passed on unread, as what is said in a room is."""

from access.replies import Replies
from access.session import Session
from mesh.interface import Mesh
from proto.moderation import Moderate, check
from proto.priorities import Priority
from proto.services import Method


class Moderations:
    """Sends moderators' requests upwards and answers with what logic said, unread."""

    def __init__(self, mesh: Mesh, replies: Replies) -> None:
        self._mesh = mesh
        self._replies = replies

    def moderate(self, session: Session, request: Moderate, text: bytes, trace: str) -> None:
        """Ask for it with `text`, the client's own frame; answers later. Raises `not_joined` or
        `bad_frame`. What the holder of the token may is logic's to say."""
        claims = session.who()
        role = claims.role_in(session.room(request.room).name)
        check(request)

        async def ask() -> None:
            answer = await self._mesh.request(
                Method.MODERATE,
                Priority.URGENT,
                text,
                room=request.room,
                uid=claims.sub,
                name=claims.name,
                role=role,
                trace=trace,
                repeatable=request.mid is not None,
            )
            self._replies.ok(session, request.id, answer)

        self._replies.later(session, request.id, ask)
