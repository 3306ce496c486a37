"""The table `access.edge.request`."""

from typing import Annotated

from msgspec import Meta, Struct

KIB = 1024


class RequestSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How large the request of a handshake may be."""

    max_bytes: Annotated[
        int,
        Meta(
            description="Bytes of the whole request; more are answered 431. Browsers send one to"
            " two KiB, and the cookies of the page's domain.",
            ge=KIB,
            le=256 * KIB,
        ),
    ] = 8 * KIB
    max_url_bytes: Annotated[
        int,
        Meta(
            description="Bytes of the URL's path; more are answered 414. It is a few bytes: what"
            " else there is to say is said in `hello`.",
            ge=16,
            le=64 * KIB,
        ),
    ] = KIB
    max_headers: Annotated[
        int,
        Meta(
            description="Headers; more are answered 431. Browsers behind proxies send about 20.",
            ge=8,
            le=1000,
        ),
    ] = 64
    max_header_bytes: Annotated[
        int,
        Meta(
            description="Bytes of one header's name and value; more are answered 431. 4 KiB: what"
            " browsers keep of one cookie.",
            ge=256,
            le=256 * KIB,
        ),
    ] = 4 * KIB
