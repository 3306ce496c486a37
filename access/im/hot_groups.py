"""The hot groups of this node: wanted while a device takes them, and handed out to all that do."""

import msgspec
import structlog
import trio

from access.im.counters import ImCounters
from access.im.device import Device
from access.im.ends import Ends
from access.im.line import Numbered
from access.tasks import Tasks
from mesh.interface import Mesh
from proto.conversations import hot_stream
from proto.envelopes import Envelope
from proto.errors import RequestError
from proto.headers import decode_room
from proto.im_frames import in_stream

log = structlog.get_logger()

KEY_PREFIX = b"hot:"
"""What the keys of their envelopes begin with; no room's name does."""
MAX_GATHERED = 1000
"""Messages of a group that wait to be handed out; beyond it devices ask for them."""
DEVICES_AT_ONCE = 32
"""So many get their messages without a pause: a millisecond, or a few where messages are joined."""


class HotGroup:
    """One group: its devices here, and what waits to be handed to them."""

    def __init__(self, conv: str) -> None:
        self.conv = conv
        self.stream = hot_stream(conv)
        self.devices: dict[Device, None] = {}
        self.gathered: list[Numbered] = []
        self.handing_out = False
        self.overflowed_at = 0
        self.finding_end = False
        self.entered = False
        """Whether a device came since its end was asked for."""

    def gather(self, seq: int, frame: bytes) -> bool:
        """Let a message wait; false where there is no room: then only its number is kept."""
        if len(self.gathered) >= MAX_GATHERED:
            self.overflowed_at = max(self.overflowed_at, seq)
            return False
        self.gathered.append((seq, in_stream(self.stream, seq, frame)))
        return True

    async def hand_out(self) -> None:
        """Give all devices what waits; what comes meanwhile is joined to the next round."""
        while self.gathered or self.overflowed_at:
            messages, self.gathered = self.gathered, []
            head, self.overflowed_at = self.overflowed_at, 0
            for index, device in enumerate(list(self.devices)):
                if device in self.devices:
                    device.take_hot(self.conv, messages)
                    if head:
                        device.hot_tail(self.conv, head)
                if index % DEVICES_AT_ONCE == DEVICES_AT_ONCE - 1:
                    await trio.lowlevel.checkpoint()


class HotGroups:
    """All of them; see `access.im.device.HotGroups`."""

    def __init__(self, mesh: Mesh, tasks: Tasks, counters: ImCounters, ends: Ends) -> None:
        self._mesh = mesh
        self._tasks = tasks
        self._counters = counters
        self._ends = ends
        self._groups: dict[str, HotGroup] = {}
        self._by_key: dict[bytes, HotGroup] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._groups)

    def names(self) -> list[str]:
        """Return the groups' ids."""
        return list(self._groups)

    def enter(self, conv: str, device: Device) -> None:
        """See `access.im.device.HotGroups`: `device` has to ask for what came before."""
        group = self._groups.get(conv)
        if group is None:
            group = self._groups[conv] = HotGroup(conv)
            self._by_key[group.stream.encode()] = group
            self._mesh.want(group.stream)
        group.devices[device] = None
        group.entered = True
        if not group.finding_end:
            group.finding_end = True
            self._tasks.start(self._find_end, group)

    def leave(self, conv: str, device: Device) -> None:
        """See `access.im.device.HotGroups`."""
        group = self._groups.get(conv)
        if group is None:
            return
        group.devices.pop(device, None)
        if not group.devices:
            self._mesh.unwant(group.stream)
            del self._groups[conv]
            del self._by_key[group.stream.encode()]

    def receive(self, envelope: Envelope) -> bool:
        """Take a ROOM envelope of a hot group; false where its header can't be read."""
        group = self._by_key.get(envelope.key)
        if group is None:
            return True
        try:
            header = decode_room(envelope.header)
        except msgspec.MsgspecError:
            return False
        self._counters.hot_messages += 1
        self._counters.hot_overflows += not group.gather(header.seq, envelope.body)
        if not group.handing_out:
            group.handing_out = True
            self._tasks.start(self._hand_out, group)
        return True

    def tail(self, conv: str, n: int) -> None:
        """Learn where a group ends."""
        group = self._groups.get(conv)
        for device in list(group.devices) if group is not None else ():
            device.hot_tail(conv, n)

    async def _hand_out(self, group: HotGroup) -> None:
        try:
            await group.hand_out()
        finally:
            group.handing_out = False

    async def _find_end(self, group: HotGroup) -> None:
        """Ask for the end once nothing can pass by any more; else the next round of tails does."""
        try:
            await self._mesh.confirmed(group.stream)
            while group.entered and group.devices:
                group.entered = False
                for n in (await self._ends.of([], [group.conv])).hot:
                    self.tail(group.conv, n)
        except RequestError as error:
            log.info("hot_group_not_confirmed", conv=group.conv, error=str(error))
        finally:
            group.finding_end = False
