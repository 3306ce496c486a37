"""What clients send to `/v1/auth/…`; what a name and a password may be is logic's to say."""

from typing import Annotated

import msgspec

from proto.ids import MESSAGE_ID_PATTERN, SESSION_ID_PATTERN

Device = Annotated[str, msgspec.Meta(pattern=rf"^$|{MESSAGE_ID_PATTERN}")]
SessionId = Annotated[str, msgspec.Meta(pattern=rf"^$|{SESSION_ID_PATTERN}")]
Text = Annotated[str, msgspec.Meta(max_length=256)]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who registers or logs in, and on which device."""

    name: Text
    password: Text
    device: Device = ""


class RefreshBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A refresh token that is to be exchanged."""

    refresh_token: Text


class LoginToEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which login ends; "": the one of the request's token."""

    sid: SessionId = ""


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The password as it is, and as it shall be."""

    password: Text
    new_password: Text
