"""A back end's access to a cluster: its server API (docs/http-api.md), over httpx on trio.

Kept out of the package's `__init__`, since only back ends need httpx (`relaymesh-client[server]`).

async with Server("http://gateway:8700", key) as server:
    await server.publish("lobby", {"sale": "starts"}, priority="urgent")
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from random import SystemRandom
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import httpx
import trio

from relaymesh_client.backoff import Backoff, Random, retry_after_s
from relaymesh_client.errors import Refused, RelaymeshError, Unanswered, refused_by_http

TIMEOUT_S = 15.0
"""For one attempt: longer than the gateway takes to give up."""
ATTEMPTS = 5
PAGE = 200
READS = frozenset({"GET"})

Json = Any
Call = tuple[str, str, Json]
"""A method, a path and a body (`None`: none), for a batch."""


class Server:
    """Calls the gateway at `url` with an API key, or a token of role `server`.

    Each change goes out under an idempotency key and, while the answer says that it may be sent
    again (or none comes), again with the same: it is done once. `attempts` bounds that. Methods
    raise `Refused` for an error that stays, `Unanswered` where no answer came.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        attempts: int = ATTEMPTS,
        transport: httpx.AsyncBaseTransport | None = None,
        random: Random | None = None,
    ) -> None:
        self._attempts = attempts
        self._random = random or SystemRandom()
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def call(
        self, method: str, path: str, body: Json = None, *, idempotency_key: str = "", **query: Any
    ) -> Json:
        """Return the JSON that any path of the API answers; all else here is made of this."""
        headers = {}
        if method not in READS:
            headers["Idempotency-Key"] = idempotency_key or format(
                self._random.getrandbits(128), "x"
            )
        request = self._http.build_request(
            method, path, json=body, params=query or None, headers=headers
        )
        return await self._answered(request)

    async def publish(
        self, room: str, data: Json, *, priority: str = "normal", idempotency_key: str = ""
    ) -> Json:
        """Publish to a room; returns where the message stands."""
        body = {"data": data, "priority": priority}
        path = f"/v1/rooms/{_name(room)}/publish"
        return await self.call("POST", path, body, idempotency_key=idempotency_key)

    async def publish_to_users(
        self,
        uids: Iterable[str],
        data: Json,
        *,
        priority: str = "normal",
        idempotency_key: str = "",
    ) -> Json:
        """Publish to each connection of up to 10,000 users."""
        body = {"uids": list(uids), "data": data, "priority": priority}
        return await self.call("POST", "/v1/users/publish", body, idempotency_key=idempotency_key)

    async def broadcast(
        self, data: Json, *, priority: str = "normal", idempotency_key: str = ""
    ) -> Json:
        """Publish to everybody who is connected."""
        body = {"data": data, "priority": priority}
        return await self.call("POST", "/v1/broadcast", body, idempotency_key=idempotency_key)

    async def send(self, uid: str, text: str, *, name: str = "", idempotency_key: str = "") -> Json:
        """Send an instant message to a user, as the platform."""
        body, path = {"text": text, "name": name}, f"/v1/users/{_name(uid)}/messages"
        return await self.call("POST", path, body, idempotency_key=idempotency_key)

    async def room(self, room: str) -> Json:
        """Return how a room is: online, likes, heat, the ends of its streams."""
        return await self.call("GET", f"/v1/rooms/{_name(room)}")

    async def history(self, room: str, *, priority: str = "normal") -> AsyncIterator[Json]:
        """Yield all that a room's log has of one priority, the oldest first."""
        path = f"/v1/rooms/{_name(room)}/messages"
        page = await self.call("GET", path, priority=priority, limit=1)
        after: int | None = 0 if page["head"] else None
        while after is not None:
            page = await self.call(
                "GET", path, priority=priority, limit=PAGE, epoch=page["epoch"], after=after
            )
            for message in page["messages"]:
                yield message
            after = page["next"]

    async def presence(self, uids: Iterable[str]) -> dict[str, Json]:
        """Return who of up to 1,000 users is online, by uid."""
        found = await self.call("POST", "/v1/presence", {"uids": list(uids)})
        return {user["uid"]: user for user in found["users"]}

    async def kick(self, uid: str, *, device: str | None = None, reason: str = "") -> Json:
        """Close a user's connections, of all devices or of one."""
        body = {"reason": reason} | ({"device": device} if device else {})
        return await self.call("POST", f"/v1/users/{_name(uid)}/kick", body)

    async def moderate(self, room: str, action: str, **fields: Any) -> Json:
        """Moderate a room: `moderate("lobby", "mute", uid="ann", for_s=600)`."""
        return await self.call(
            "POST", f"/v1/rooms/{_name(room)}/moderation", {"action": action} | fields
        )

    async def batch(
        self, calls: Sequence[Call], *, keep_order: bool = False
    ) -> list[Json | Refused]:
        """Make up to 100 calls in one request; returns for each what it answers, or its error."""
        made = [{"method": each[0], "path": each[1], **_body(each[2])} for each in calls]
        body = {"calls": made, "order": "kept" if keep_order else "any"}
        answers = (await self.call("POST", "/v1/batch", body))["answers"]
        return [
            each["body"] if each["status"] == httpx.codes.OK else refused_by_http(each["body"])
            for each in answers
        ]

    async def _answered(self, request: httpx.Request) -> Json:
        backoff = Backoff(self._random)
        outcome = await self._tried(request)
        for _ in range(self._attempts - 1):
            if outcome.rest_s is None:
                break
            await trio.sleep(max(outcome.rest_s, backoff.next_s()))
            outcome = await self._tried(request)
        if outcome.error is not None:
            raise outcome.error
        return outcome.answer

    async def _tried(self, request: httpx.Request) -> "_Outcome":
        try:
            answer = await self._http.send(request)
        except httpx.TransportError as error:
            return _Outcome(error=Unanswered(f"the gateway did not answer: {error}"), rest_s=0.0)
        if answer.is_success:
            return _Outcome(answer=answer.json())
        rest_s = retry_after_s(answer.headers.raw)
        again = rest_s or answer.status_code in AGAIN
        return _Outcome(error=_refusal(answer), rest_s=rest_s if again else None)


class _Outcome(NamedTuple):
    """What an attempt came to; `rest_s` after which another one may do better, `None`: none."""

    answer: Json = None
    error: RelaymeshError | None = None
    rest_s: float | None = None


AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which a call may be sent again, also where no time is said."""


def _refusal(answer: httpx.Response) -> Refused:
    try:
        return refused_by_http(answer.json())
    except (ValueError, TypeError):
        return Refused("", f"the gateway answered {answer.status_code}")


def _name(text: str) -> str:
    return quote(text, safe="")


def _body(body: Json) -> dict[str, Json]:
    return {} if body is None else {"body": body}
