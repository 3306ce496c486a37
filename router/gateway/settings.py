"""What can be tuned at the gateway."""

from typing import Annotated

import msgspec

from proto.settings_types import RELOADS, Secret
from router.gateway.address_settings import AddressSettings


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The HTTP API: where clients connect, and how back ends publish."""

    allowed_origins: Annotated[
        tuple[str, ...],
        RELOADS,
        msgspec.Meta(
            description="Origins of web pages that may ask /v1/connect and /v1/auth/…, exact or "
            "`*`. Any by default: what they ask needs a token or a password that the page has, and "
            "no browser adds one by itself."
        ),
    ] = ("*",)
    max_endpoints: Annotated[
        int,
        RELOADS,
        msgspec.Meta(
            description="Access nodes in one answer of /v1/connect. 16: enough to try when some "
            "are gone, still one packet.",
            ge=1,
            le=1000,
        ),
    ] = 16
    max_pending: Annotated[
        int,
        RELOADS,
        msgspec.Meta(
            description="Requests waiting for the cluster at a time; more are answered "
            "`overloaded`. 256 of the largest are 200 MB.",
            ge=1,
            le=100_000,
        ),
    ] = 256
    max_requests: Annotated[
        int,
        RELOADS,
        msgspec.Meta(
            description="Requests at work at a time, those whose body is still to come included; "
            "more are answered `overloaded`. 1,000: a few seconds of clients that connect.",
            ge=1,
            le=100_000,
        ),
    ] = 1000
    api_keys_file: Annotated[
        str,
        RELOADS,
        msgspec.Meta(
            description="TOML file with the API keys of back ends, as `relaymesh api-key new` "
            "writes it. Empty: none, only tokens of role server."
        ),
    ] = ""
    open_status: Annotated[
        bool,
        RELOADS,
        msgspec.Meta(
            description="Whether /v1/status answers without a token that may `operate`. It names "
            "nodes and their load; on by default as the HTTP address is loopback by default."
        ),
    ] = True
    demo: Annotated[
        bool,
        msgspec.Meta(
            description="Whether anybody may have a token from /v1/demo/token. Off: it is for a "
            "local cluster's demo page alone."
        ),
    ] = False
    demo_receipt_secret: Annotated[
        Secret,
        msgspec.Meta(
            description="Secret that signs the receipts of a demo's gifts: `logic.receipts.secret`."
            " Empty: /v1/demo/receipt is not there. Never with real money.",
            pattern=r"^$|^[\s\S]{32,}\Z",
        ),
    ] = ""
    console: Annotated[
        str,
        msgspec.Meta(
            description="Folder with the console, served at /console/: clients/js/console "
            "of the sources. Empty: no console. It shows /v1/status, see open_status."
        ),
    ] = ""
    pages: Annotated[
        str,
        msgspec.Meta(
            description="Folder with relaymesh.js and demo/, served at / and /relaymesh.js. Empty: "
            "no pages, as production serves its own."
        ),
    ] = ""
    address: Annotated[AddressSettings, RELOADS] = AddressSettings()
