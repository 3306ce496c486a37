"""The table `tokens` of the roles that verify tokens."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import SECRET_MARK
from proto.token_keys import Algorithm

_Secret = Annotated[str, Meta(extra={SECRET_MARK: True})]


class TokenSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which tokens are believed: the same on all nodes."""

    secret: Annotated[
        _Secret,
        Meta(
            description="The cluster's own key: it signs what nodes give to clients for each other,"
            " and tokens (HS256) unless `algorithms` leaves them out. At least 32 bytes. Without a"
            " default: a known key is none.",
            min_length=32,
            max_length=4096,
        ),
    ]
    previous_secret: Annotated[
        _Secret,
        Meta(
            description="The secret before this one, which is believed too, so that keys can be"
            " changed without a client that notices. Empty: none.",
            pattern=r"^$|^[\s\S]{32,}\Z",
            max_length=4096,
        ),
    ] = ""
    key_files: Annotated[
        tuple[str, ...],
        Meta(
            description="PEM files of keys that tokens may be signed with, RSA (RS256) or Ed25519"
            " (EdDSA), public or private; the file's name without its ending is the key's id."
            " Two at a time while keys are changed.",
            max_length=8,
        ),
    ] = ()
    jwks_file: Annotated[
        str,
        Meta(
            description="JSON Web Key Set (RFC 7517) with the public keys of an issuer of yours."
            " Empty: none.",
        ),
    ] = ""
    algorithms: Annotated[
        tuple[Algorithm, ...],
        Meta(
            description="Algorithms that tokens may be signed with. Without `HS256` the secret"
            " signs none: then an issuer with a key of its own is the only one.",
            min_length=1,
        ),
    ] = ("HS256", "EdDSA", "RS256")
    issuers: Annotated[
        tuple[str, ...],
        Meta(
            description="What `iss` of a token may be. Empty: anything, since the key says it all"
            " where each issuer has its own.",
        ),
    ] = ()
