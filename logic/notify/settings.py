"""What can be tuned of offline push; the config's keys are the names here."""

from typing import Annotated

from msgspec import Meta, Struct

from backends.push.settings import FcmSettings, WebhookSettings


class PushSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Offline push: who is away, or does not acknowledge a message, is notified of it."""

    unacked_s: Annotated[
        float,
        Meta(
            description="Seconds after a message for which a device that is connected may be silent"
            " about it; then it is notified all the same. 15: several resends, and less than a"
            " person waits for an answer.",
            ge=0,
            le=3600,
        ),
    ] = 15.0
    poll_s: Annotated[
        float,
        Meta(
            description="Seconds between two looks for what is due, where nothing was. One: an"
            " index is read, and nobody waits more precisely for a notification.",
            ge=0.05,
            le=60,
        ),
    ] = 1.0
    at_work: Annotated[
        int,
        Meta(
            description="Notifications that this instance works on at once. 200: what the providers"
            " below take in a second or two.",
            ge=1,
            le=10_000,
        ),
    ] = 200
    concurrency: Annotated[
        int,
        Meta(
            description="Requests to each provider at once. 16 of a tenth of a second are 160 a"
            " second, for each instance.",
            ge=1,
            le=64,
        ),
    ] = 16
    timeout_s: Annotated[
        float,
        Meta(
            description="Seconds that a provider has for an answer. Ten: FCM asks for no less.",
            ge=0.1,
            le=30,
        ),
    ] = 10.0
    attempts: Annotated[
        int,
        Meta(
            description="Attempts after which a notification is dropped. With pauses that double up"
            " to an hour, 20 are half a day.",
            ge=1,
            le=1000,
        ),
    ] = 20
    give_up_s: Annotated[
        float,
        Meta(
            description="Age of a message at which a notification that keeps failing is dropped. A"
            " day: later it would startle rather than tell.",
            ge=1,
            le=2_419_200,
        ),
    ] = 86_400.0
    fcm: FcmSettings = FcmSettings()
    webhook: WebhookSettings = WebhookSettings()
