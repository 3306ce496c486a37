"""Devices: where a user's notifications go, and who watches whose presence."""

from typing import Annotated, Literal

from msgspec import Meta

from proto.requests.fields import Device, Frame, Uid

MAX_WATCHED = 200


class DeviceSet(Frame, frozen=True, tag_field="op", tag="device_set"):
    """Have this device notified by `provider` at `token` while the user is away."""

    provider: Literal["fcm", "apns", "webhook"]
    token: Annotated[str, Meta(min_length=1, max_length=512)]


class DeviceRemove(Frame, frozen=True, tag_field="op", tag="device_remove"):
    """Forget a device (this one, where `device` is absent): its cursor, and where it is told."""

    device: Device | None = None


class Watch(Frame, frozen=True, tag_field="op", tag="watch"):
    """Be told of the presence of exactly these friends on this connection, from now on."""

    uids: Annotated[list[Uid], Meta(max_length=MAX_WATCHED)]


DeviceRequest = DeviceSet | DeviceRemove
