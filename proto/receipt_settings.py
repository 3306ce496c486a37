"""The table `receipts` of the role that verifies receipts of gifts."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import Secret

_FORM = r"^$|^[\s\S]{32,}\Z"


class ReceiptSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which receipts of gifts are believed: the same on all nodes, and known to the back end that
    takes the money. Not the secret of the tokens: who lets people in need not sell gifts."""

    secret: Annotated[
        Secret,
        Meta(
            description="Secret that receipts are signed with (HS256), at least 32 bytes. Without a"
            ' default: a known key is none. `""` where only `key_files` count.',
            pattern=_FORM,
            max_length=4096,
        ),
    ]
    previous_secret: Annotated[
        Secret,
        Meta(
            description="The secret before this one, which is believed too, so that keys can be"
            " changed without a gift that is refused. Empty: none.",
            pattern=_FORM,
            max_length=4096,
        ),
    ] = ""
    key_files: Annotated[
        tuple[str, ...],
        Meta(
            description="PEM files of keys that receipts may be signed with, RSA (RS256) or Ed25519"
            " (EdDSA); the file's name without its ending is the key's id. The public key is"
            " enough, so that only the back end can sign.",
            max_length=8,
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Refuse a table that names no key: every gift would be refused."""
        if not self.secret and not self.key_files:
            raise ValueError("secret: must be given, or else `key_files`")
