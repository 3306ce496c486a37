"""The session layer: takes what the edge reads and hands each request to its part."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from access.alarms import Alarms
from access.counters import AccessCounters
from access.edge.interface import Connection
from access.hellos import Hellos
from access.im.messaging import Messaging
from access.joins import Joins
from access.moderation.requests import Moderations
from access.publishes import Fetches, Likings, Publishes
from access.refreshes import Refreshes
from access.replies import Replies
from access.route_keeper import RouteKeeper
from access.session import CloseError, Session, SessionLimits
from access.user_rates import UserRates
from access.users import Users
from proto import client_requests
from proto.client_requests import (
    Chat,
    Fetch,
    Gift,
    Hello,
    ImRequest,
    Join,
    Leave,
    Like,
    Ping,
    Publish,
    Refresh,
    Request,
    Speech,
)
from proto.close_codes import CloseCode
from proto.errors import RequestError
from proto.moderation import Moderate
from proto.requests.devices import Watch
from proto.requests.messages import Ack

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """Who does what."""

    hellos: Hellos
    refreshes: Refreshes
    joins: Joins
    publishes: Publishes
    likings: Likings
    fetches: Fetches
    moderations: Moderations
    messaging: Messaging
    replies: Replies
    users: Users
    rates: UserRates
    routes: RouteKeeper


class Sessions:
    """An `access.edge.interface.Handler`. Each frame is answered once or ends the session."""

    def __init__(
        self,
        parts: Parts,
        limits: SessionLimits,
        alarms: Alarms,
        counters: AccessCounters,
        *,
        new_trace: Callable[[], str],
        now_ms: Callable[[], int],
    ) -> None:
        self._parts = parts
        self._limits = limits
        self._alarms = alarms
        self._counters = counters
        self._new_trace = new_trace
        self._now_ms = now_ms
        self.connections = 0
        self.draining = False

    def reconfigured(self, limits: SessionLimits, route_wait_s: float) -> None:
        """Have other bounds from now on."""
        self._limits.replace(limits)
        self._parts.hellos.route_wait_s = route_wait_s

    def opened(self, connection: Connection) -> None:
        """See `Handler`."""
        now = trio.current_time()
        session = connection.state = Session(connection, self._limits)
        self.connections += 1
        if self.draining:
            connection.close(CloseCode.RESTARTING, "restarting; resume elsewhere")
        else:
            self._alarms.at(now + self._limits.hello_s, partial(self._hello_is_due, session))

    def received(self, connection: Connection, text: bytes) -> None:
        """See `Handler`."""
        session: Session = connection.state
        try:
            self._take(session, text)
        except RequestError as error:
            self._parts.replies.error(session, client_requests.request_id(text), error.body)
        except CloseError as close:
            log.info("session_closed", connection=connection.id, code=close.code, why=close.reason)
            connection.close(close.code, close.reason)

    def closed(self, connection: Connection, code: int) -> None:
        """See `Handler`."""
        session: Session = connection.state
        self.connections -= 1
        self._counters.closes[code] += 1
        session.gone = True
        self._parts.joins.leave_all(session)
        self._parts.messaging.closed(session)
        if session.claims is not None:
            self._parts.users.remove(session.claims.sub, connection)
            self._parts.routes.remove(session.claims.sub, connection.id)

    def _take(self, session: Session, text: bytes) -> None:
        now = trio.current_time()
        session.frame(now, self._parts.rates)
        try:
            request = client_requests.parse(text)
            if not isinstance(request, Hello):
                session.who()
        except RequestError:
            self._counters.requests["bad"] += 1
            session.bad_frame(now)
            raise
        self._counters.requests[client_requests.OP_OF[type(request)]] += 1
        self._dispatch(session, request, text)

    def _dispatch(self, session: Session, request: Request, text: bytes) -> None:
        parts = self._parts
        match request:
            case Chat() | Gift() | Speech() | Moderate():
                self._passed_on(session, request, text)
            case Like():
                parts.likings.like(session, request)
            case Ping():
                parts.replies.ok(session, request.id, b'{"ts":%d}' % self._now_ms())
            case Join():
                parts.joins.join(session, request)
            case Leave():
                parts.joins.leave(session, request)
            case Fetch():
                parts.fetches.fetch(session, request)
            case Hello() | Refresh():
                self._identify(session, request)
            case _:
                self._message(session, request, text)

    def _identify(self, session: Session, request: Hello | Refresh) -> None:
        if isinstance(request, Hello):
            self._parts.hellos.hello(session, request)
        else:
            self._parts.refreshes.refresh(session, request)

    def _passed_on(self, session: Session, request: Publish | Moderate, text: bytes) -> None:
        trace = self._trace(session, request)
        if isinstance(request, Moderate):
            self._parts.moderations.moderate(session, request, text, trace)
        else:
            self._parts.publishes.publish(session, request, text, trace)

    def _message(self, session: Session, request: Ack | Watch | ImRequest, text: bytes) -> None:
        messaging = self._parts.messaging
        if not isinstance(request, Ack):
            messaging.request(session, request, text)
            return
        try:
            if messaging.acknowledge(session, request):
                session.uncounted(
                    self._parts.rates
                )  # there are no more of these than messages that were sent
        except RequestError:
            self._counters.requests["bad"] += 1
            session.bad_frame(trio.current_time())
            raise

    def _trace(self, session: Session, request: Publish | Moderate) -> str:
        """Return the trace under which the message goes on, and log where it began."""
        trace, op = self._new_trace(), client_requests.OP_OF[type(request)]
        log.debug("client_frame", trace=trace, op=op, connection=session.connection.id)
        return trace

    def _hello_is_due(self, session: Session) -> None:
        if session.claims is None and not session.gone:
            session.connection.close(CloseCode.HELLO_TIMEOUT, "no hello in time")
