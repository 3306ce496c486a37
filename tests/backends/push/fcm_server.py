"""FCM's HTTP v1 API and Google's token endpoint, as strict as the real ones: what the reference
does not allow is answered with the error that the reference names."""

import json
from typing import Any
from urllib.parse import parse_qsl

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PROJECT = "mesh-test"
EMAIL = "push@mesh-test.iam.gserviceaccount.com"
KEY_ID = "key-1"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MAX_MESSAGE_BYTES = 4096
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE_PEM = _KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Words(_Strict):
    title: str = ""
    body: str = ""
    image: str = ""


class AndroidNotification(_Strict):
    title: str = ""
    body: str = ""
    icon: str = ""
    color: str = ""
    sound: str = ""
    tag: str = ""
    click_action: str = ""
    channel_id: str = ""
    notification_count: int = 0


class Android(_Strict):
    collapse_key: str = ""
    priority: str = "NORMAL"
    ttl: str = "2419200s"
    restricted_package_name: str = ""
    data: dict[str, str] = {}
    notification: AndroidNotification | None = None


class Apns(_Strict):
    headers: dict[str, str] = {}
    payload: dict[str, Any] = {}


class Message(_Strict):
    token: str
    data: dict[str, str] = {}
    notification: Words | None = None
    android: Android = Android()
    apns: Apns = Apns()


class Body(_Strict):
    message: Message
    validate_only: bool = False


class FcmServer:
    """`messages` are those taken; `answers` holds what a token is answered with instead."""

    def __init__(self, now_s: Any) -> None:
        self.now_s = now_s
        self.url = ""
        self.messages: list[Message] = []
        self.answers: dict[str, tuple[int, str, dict[str, str]]] = {}
        self.tokens_given = 0
        self.expires_in = 3599
        self.valid: set[str] = set()
        self.asked = 0

    def app(self) -> Starlette:
        send = f"/v1/projects/{PROJECT}/messages:send"
        return Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route(send, self._send, methods=["POST"]),
            ]
        )

    def account(self, **changed: Any) -> dict[str, Any]:
        """Return the service account's key file."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": PRIVATE_PEM,
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        } | changed

    def refuse(self, token: str, status: int, code: str, **headers: str) -> None:
        """Answer messages to `token` with an error of FCM's own."""
        self.answers[token] = (status, code, {k.replace("_", "-"): v for k, v in headers.items()})

    async def _token(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return JSONResponse({"error": "invalid_request"}, 400)
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        if form.get("grant_type") != GRANT:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        try:
            self._check_assertion(str(form.get("assertion")))
        except (jwt.InvalidTokenError, AssertionError) as error:
            return JSONResponse({"error": "invalid_grant", "error_description": str(error)}, 400)
        self.tokens_given += 1
        token = f"ya29.{self.tokens_given}"
        self.valid = {token}
        return JSONResponse(
            {"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer"}
        )

    def _check_assertion(self, assertion: str) -> None:
        assert jwt.get_unverified_header(assertion) == {
            "alg": "RS256",
            "typ": "JWT",
            "kid": KEY_ID,
        }
        claims = jwt.decode(
            assertion,
            _KEY.public_key(),
            algorithms=["RS256"],
            audience=f"{self.url}/token",
            issuer=EMAIL,
            options={"verify_exp": False, "verify_iat": False},
        )
        assert claims["scope"] == SCOPE, "scope"
        assert abs(claims["iat"] - self.now_s()) < 300, "iat"
        assert claims["iat"] < claims["exp"] <= claims["iat"] + 3600, "exp"

    async def _send(self, request: Request) -> Response:
        self.asked += 1
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.valid:
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if request.headers.get("content-type") != "application/json":
            return _error(400, "INVALID_ARGUMENT", "not JSON")
        raw = await request.body()
        try:
            message = msgspec.json.decode(raw, type=Body).message
            check(message, raw)
        except (msgspec.ValidationError, AssertionError) as error:
            return _error(400, "INVALID_ARGUMENT", f"Invalid value: {error}", field="message")
        if message.token in self.answers:
            return self._refusal(message.token)
        self.messages.append(message)
        return JSONResponse({"name": f"projects/{PROJECT}/messages/{len(self.messages)}"})

    def _refusal(self, token: str) -> Response:
        status, code, headers = self.answers[token]
        canonical = {404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        text = (
            "The registration token is not a valid FCM registration token"
            if code == "INVALID_ARGUMENT"
            else "Refused."
        )
        return _error(status, canonical.get(status, code), text, code=code, headers=headers)


def check(message: Message, raw: bytes) -> None:
    """Check what the reference says beyond types."""
    assert message.token, "token"
    assert len(raw) <= MAX_MESSAGE_BYTES, "message too big"
    assert message.android.priority in ("NORMAL", "HIGH"), "android.priority"
    ttl = message.android.ttl
    assert ttl.endswith("s") and 0 <= float(ttl[:-1]) <= 2_419_200, "android.ttl"
    for key in message.data:
        assert key not in ("from", "message_type"), key
        assert not key.startswith(("google", "gcm")), key
    _check_apns(message)


def _check_apns(message: Message) -> None:
    headers, payload = message.apns.headers, message.apns.payload
    assert set(headers) <= {
        "apns-collapse-id",
        "apns-priority",
        "apns-push-type",
        "apns-expiration",
        "apns-topic",
        "apns-id",
    }, "apns.headers"
    assert len(headers["apns-collapse-id"].encode()) <= 64, "apns-collapse-id"
    assert int(headers["apns-expiration"]) >= 0
    background = headers["apns-push-type"] == "background"
    assert background == (message.notification is None), "apns-push-type"
    assert headers["apns-priority"] == ("5" if background else "10"), "apns-priority"
    aps = payload["aps"]
    assert isinstance(aps.get("badge", 0), int), "badge"
    if background:
        assert aps["content-available"] == 1
        assert not {"alert", "sound"} & set(aps), "a background push shows nothing"


def _error(
    status: int,
    canonical: str,
    message: str,
    *,
    code: str = "",
    field: str = "",
    headers: dict[str, str] | None = None,
) -> Response:
    details: list[dict[str, Any]] = []
    if code:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details.append({"@type": kind, "errorCode": code})
    if field:
        kind = "type.googleapis.com/google.rpc.BadRequest"
        violations = [{"field": field, "description": message}]
        details.append({"@type": kind, "fieldViolations": violations})
    error = {"code": status, "message": message, "status": canonical, "details": details}
    return Response(
        json.dumps({"error": error}), status, headers=headers, media_type="application/json"
    )
