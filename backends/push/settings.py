"""Where notifications go; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct

from proto.settings_types import RELOADS, SECRET_MARK


class FcmSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Firebase Cloud Messaging, HTTP v1: Android, Apple and web apps."""

    account_file: Annotated[
        str,
        Meta(
            description="JSON key file of a service account that may send (role `Firebase Cloud"
            " Messaging API Admin`). Its content is read again on reload. Empty, the default: not"
            " used."
        ),
    ] = ""
    endpoint: Annotated[
        str,
        Meta(
            description="Where messages are posted. Another one is for tests.",
            pattern=r"^https?://[^\s/]+\Z",
        ),
    ] = "https://fcm.googleapis.com"
    ttl_s: Annotated[
        int,
        Meta(
            description="Seconds for which a device that is out of reach is tried. A day: the app"
            " shows what is new when it is opened, whatever was notified. FCM allows four weeks.",
            ge=0,
            le=2_419_200,
        ),
    ] = 86_400

    def __post_init__(self) -> None:
        """Refuse a key file that can't be used, before anything starts."""
        if self.account_file:
            from backends.push.google_token import read_account  # not for those who have none

            try:
                read_account(self.account_file)
            except ValueError as error:
                raise ValueError(f"account_file: {error}") from None


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A server of yours that notifies devices itself (docs/push.md shows how it verifies)."""

    url: Annotated[
        str,
        Meta(
            description="Where notifications are posted. Empty, the default: not used.",
            pattern=r"^(https?://\S+)?\Z",
        ),
    ] = ""
    secret: Annotated[
        str,
        RELOADS,
        Meta(
            description="Key that posts are signed with (HMAC-SHA256), at least 32 bytes. No"
            " default: a known secret is none.",
            pattern=r"^(.{32,})?\Z",
            extra={SECRET_MARK: True},
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a webhook whose posts nobody could verify."""
        if self.url and not self.secret:
            raise ValueError("secret: must be given with url: it signs what is posted")
