"""The endpoints of the gateway: connect, publish, status, and the demo's tokens."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
import trio
from starlette.requests import Request
from starlette.responses import Response

from mesh.interface import Mesh
from proto.errors import ErrorCode, RequestError
from proto.ids import RandomBits, is_uid, new_id
from proto.priorities import Priority
from proto.services import Method, PushBody, encode
from proto.token_keys import Keyring
from proto.tokens import Claims, sign
from router.gateway.authority import Authority
from router.gateway.balance import Balance, for_pool
from router.gateway.bodies import (
    MAX_LIST_BODY_BYTES,
    DemoToken,
    Publish,
    PublishToUsers,
    checked_data,
    checked_room,
    decode,
)
from router.gateway.endpoint import answer, answer_raw, read_body, trace_of
from router.gateway.overview import overview
from router.gateway.rules import View
from router.gateway.settings import GatewaySettings
from router.presence import Presence

RETRY_AFTER_MS = 1000
"""A node that starts, or that comes back, says so within a second."""

DEMO_TOKEN_S = 12 * 3600

log = structlog.get_logger()


class Api:
    """Handlers for the endpoints, each with the request it takes and the response it gives."""

    def __init__(
        self,
        settings: GatewaySettings,
        authority: Authority,
        own: Keyring,
        mesh: Mesh,
        presence: Presence,
        balance: Balance,
        rules: View,
        now_s: Callable[[], float],
        random_bits: RandomBits,
    ) -> None:
        self.settings = settings
        self._authority = authority
        self._own = own
        self._mesh = mesh
        self._presence = presence
        self._balance = balance
        self._rules = rules
        self._now_s = now_s
        self._random_bits = random_bits
        self.pending = 0
        self.refused = 0
        self.connects = 0
        self.pushes = 0
        self.errors: Counter[str] = Counter()
        """Requests refused, by the code of their error."""

    @property
    def lapses(self) -> int:
        """Clients refused because the rules of hot rooms were not known."""
        return self._rules.lapses

    async def connect(self, request: Request) -> Response:
        """Answer where the token's holder connects, for `room` if it names one."""
        claims = self._authority.claims(request)
        # A client that listens to its own pushes alone names no room.
        room = request.query_params.get("room")
        pool = "" if room is None else self._rules.pool_for(checked_room(room), trio.current_time())
        nodes = for_pool(self._presence.living("access"), pool)
        endpoints = self._balance.choose(claims.sub, nodes, self.settings.max_endpoints)
        if not endpoints:
            message = "No access node takes connections at the moment."
            raise RequestError(ErrorCode.UNAVAILABLE, message, retry_after_ms=RETRY_AFTER_MS)
        self.connects += 1
        return answer({"endpoints": endpoints})

    async def publish_to_room(self, request: Request) -> Response:
        """Publish to the room in the path."""
        claims = self._authority.server(request)
        room = checked_room(request.path_params["room"])
        body = decode(await read_body(request), Publish)
        return await self._push(claims, body, trace_of(request), room=room)

    async def publish_to_user(self, request: Request) -> Response:
        """Publish to the user in the path."""
        claims = self._authority.server(request)
        uid = request.path_params["uid"]
        if not is_uid(uid):
            raise RequestError(ErrorCode.BAD_FRAME, "That is no user id.", field="uid")
        body = decode(await read_body(request), Publish)
        return await self._push(claims, body, trace_of(request), uids=[uid])

    async def publish_to_users(self, request: Request) -> Response:
        """Publish to the users that the body lists."""
        claims = self._authority.server(request)
        body = decode(await read_body(request, MAX_LIST_BODY_BYTES), PublishToUsers)
        uids = list(dict.fromkeys(body.uids))
        return await self._push(claims, body, trace_of(request), uids=uids)

    async def status(self, request: Request) -> Response:
        """Answer each living node, and the links held and those of a full mesh."""
        if not self.settings.open_status:
            self._authority.server(request)
        return answer(overview(self._presence.leases, self._rules.by_room.values()))

    async def demo_token(self, request: Request) -> Response:
        """Mint a token for a visitor of the demo page."""
        body = decode(await read_body(request), DemoToken)
        now_s = int(self._now_s())
        uid = body.uid or f"demo-{new_id(self._random_bits)}"
        hosted = (body.room,) if body.host else ()
        claims = Claims(uid, now_s + DEMO_TOKEN_S, iat=now_s, name=body.name, host=hosted)
        return answer({"token": sign(claims, self._own.keys[0]), "uid": uid})

    async def _push(
        self,
        claims: Claims,
        body: Publish,
        trace: str,
        *,
        room: str = "",
        uids: list[str] | None = None,
    ) -> Response:
        """Have logic publish it. With an id, the caller's or ours, a retry publishes it once."""
        mid = body.mid or new_id(self._random_bits)
        push = PushBody(mid, body.priority, checked_data(body.data), room, uids or [])
        async with self._admitted():
            raw = await self._mesh.request(
                Method.PUSH,
                Priority.of(body.priority),
                encode(push),
                room=room,
                uid=claims.sub,
                name=claims.name,
                role=claims.role,
                trace=trace,
                repeatable=True,
            )
        self.pushes += 1
        log.debug("push_published", trace=trace, mid=mid, room=room, uids=len(push.uids))
        return answer_raw(raw)

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[None]:
        if self.pending >= self.settings.max_pending:
            self.refused += 1
            raise RequestError(ErrorCode.OVERLOADED, retry_after_ms=RETRY_AFTER_MS)
        self.pending += 1
        try:
            yield
        finally:
            self.pending -= 1
