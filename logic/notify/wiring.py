"""Presence and offline push as one part of a logic node: put together, with their task."""

from collections.abc import Mapping, Sequence

from prometheus_client.registry import Collector

from logic.dispatch import Handle as Serve
from logic.im.service import Handle
from logic.living import Living
from logic.notify.devices import DeviceHandlers
from logic.notify.notifier import Notifier
from logic.parts import Parts
from logic.presence.handler import PresenceHandler
from logic.presence.presence import Presence
from logic.presence.watchable import WatchableHandler
from logic.settings import Settings
from proto.services import Method


class OfflinePush:
    """What a logic node runs of presence and offline push."""

    def __init__(self, whole: Settings, parts: Parts, living: Living) -> None:
        presence = Presence(parts.routes, living)
        self._presence = PresenceHandler(presence, parts.database)
        self._watchable = WatchableHandler(parts.database)
        self._max_devices = whole.mailbox.max_devices
        self._devices = DeviceHandlers(parts.database, lambda: self._max_devices, parts.now_ms)
        self.notifier = Notifier(
            whole.push,
            parts.database,
            presence,
            parts.providers,
            now_ms=parts.now_ms,
            random_bits=parts.random_bits,
        )

    def reconfigured(self, whole: Settings) -> None:
        """Take over the keys that reload."""
        self._max_devices = whole.mailbox.max_devices

    def methods(self) -> Mapping[Method, Serve]:
        """Return what answers the access nodes."""
        return {
            Method.PRESENCE: self._presence.handle,
            Method.WATCHABLE: self._watchable.handle,
        }

    def handlers(self) -> Mapping[type, Handle]:
        """Return what answers clients."""
        return self._devices.handlers()

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors of its figures."""
        return self.notifier.collectors()

    async def run(self) -> None:
        """Do what nobody waits for, until cancelled."""
        await self.notifier.run()
