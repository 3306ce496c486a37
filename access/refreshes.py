"""Takes a new token on a connection that goes on."""

from access.counters import AccessCounters
from access.credentials import Credentials
from access.expiry import Expiry
from access.replies import Replies
from access.rooms import Rooms
from access.session import Session
from proto.client_requests import Refresh
from proto.errors import ErrorCode, RequestError
from proto.tokens import Claims


class Refreshes:
    """Has a session hold other claims of the same user."""

    def __init__(
        self,
        credentials: Credentials,
        expiry: Expiry,
        rooms: Rooms,
        replies: Replies,
        counters: AccessCounters,
    ) -> None:
        self._credentials = credentials
        self._expiry = expiry
        self._rooms = rooms
        self._replies = replies
        self._counters = counters

    def refresh(self, session: Session, request: Refresh) -> None:
        """Take the token: name, roles and login are its from now on.

        Raises `hello_first`, and `token_…` for one that is not accepted or another user's: then the
        present one holds on.
        """
        claims = self._verified(session, request)
        session.claims = claims
        self._expiry.watch(session)
        self._counters.tokens_refreshed += 1
        self._replies.ok(session, request.id, b'{"expires_ms":%d}' % (claims.exp * 1000))
        for room in list(session.rooms.values()):
            self._rooms.renewed(room, session.connection, claims.sub, claims.role_in(room.name))

    def _verified(self, session: Session, request: Refresh) -> Claims:
        uid = session.who().sub
        try:
            claims = self._credentials.verify(request.token)
        except RequestError:
            session.connection.blame()
            raise
        if claims.sub != uid:
            message = "token: it is another user's than the connection's"
            raise RequestError(ErrorCode.TOKEN_INVALID, message, field="token")
        return claims
