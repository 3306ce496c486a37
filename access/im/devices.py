"""The devices of this node's users that take instant messages."""

from collections.abc import Iterator

from access.im.counters import ImCounters
from access.im.device import Device
from proto.close_codes import CloseCode


class Devices:
    """uid -> device name -> its one connection here."""

    def __init__(self, max_devices: int, counters: ImCounters) -> None:
        self.max_devices = max_devices
        self._counters = counters
        self._by_uid: dict[str, dict[str, Device]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many devices there are."""
        return self._count

    def __iter__(self) -> Iterator[Device]:
        """Yield all devices."""
        for devices in self._by_uid.values():
            yield from devices.values()

    def uids(self) -> list[str]:
        """Return the users that have a device here."""
        return list(self._by_uid)

    def of(self, uid: str) -> list[Device]:
        """Return a user's devices: mostly none."""
        devices = self._by_uid.get(uid)
        return list(devices.values()) if devices else []

    def is_here(self, device: Device) -> bool:
        """Say whether `device` is the one that its name stands for."""
        return self._by_uid.get(device.uid, {}).get(device.name) is device

    def add(self, device: Device) -> bool:
        """Take in a device; an older connection of the same one is closed. False where the user has
        as many as it may."""
        devices = self._by_uid.get(device.uid, {})
        older = devices.get(device.name)
        if older is None and len(devices) >= self.max_devices:
            return False
        if older is not None:
            self._counters.replaced += 1
            self.remove(older)
            older.end()
            older.connection.close(CloseCode.REPLACED, "the same device has connected anew")
        self._by_uid.setdefault(device.uid, {})[device.name] = device
        self._count += 1
        return True

    def remove(self, device: Device) -> None:
        """Let a device go, if it is still the one that its name stands for."""
        if not self.is_here(device):
            return
        devices = self._by_uid[device.uid]
        del devices[device.name]
        self._count -= 1
        if not devices:
            del self._by_uid[device.uid]
