"""How a connection begins to take instant messages: the part `im` of its `hello`."""

from collections.abc import Callable

import msgspec
import structlog

from access.im.counters import ImCounters
from access.im.cursors import CursorReports
from access.im.delivering import Delivering
from access.im.device import Device
from access.im.devices import Devices
from access.session import Session
from mesh.interface import Mesh
from proto.client_requests import ImSpec
from proto.errors import CATALOGUE, ErrorBody, ErrorCode, RequestError
from proto.im_services import OpenAnswer, OpenBody, decode_open_answer
from proto.priorities import Priority
from proto.services import Method, encode

log = structlog.get_logger()

LEVEL = "level"
OWN_CURSOR = -1


class HotPosition(msgspec.Struct, frozen=True):
    """A hot group's last number, and after which one its first push comes."""

    head: int
    start: int


class ImAnswer(msgspec.Struct, frozen=True):
    """`im` in the `ok` of a hello; see `proto.im_services.OpenAnswer`."""

    epoch: str
    head: int
    start: int
    standing: str
    hot: dict[str, HotPosition]


class ImRefused(msgspec.Struct, frozen=True):
    """The same, where the connection has to do without instant messages."""

    error: ErrorBody


class Opened:
    """A device that is to start, and what it is answered."""

    def __init__(self, device: Device, spec: ImSpec, answer: OpenAnswer) -> None:
        self._device = device
        self._spec = spec
        self._answer = answer

    def answer(self) -> ImAnswer:
        """Return what the `hello` is answered with."""
        a = self._answer
        hot = {each.conv: HotPosition(each.head, each.start) for each in a.hot}
        return ImAnswer(a.epoch, a.head, a.start, a.standing, hot)

    def start(self) -> None:
        """Begin to deliver; must follow the reply without a pause."""
        if self._device.gone:
            return
        # A position in another numbering says nothing about this one.
        same = self._spec.epoch == self._answer.epoch
        self._device.start(self._answer, self._spec.hot if same else {})


class Opening:
    """Registers devices and asks where their streams are."""

    def __init__(
        self,
        devices: Devices,
        delivering: Delivering,
        cursors: CursorReports,
        mesh: Mesh,
        counters: ImCounters,
        new_trace: Callable[[], str],
    ) -> None:
        self._devices = devices
        self._delivering = delivering
        self._cursors = cursors
        self._mesh = mesh
        self._counters = counters
        self._new_trace = new_trace

    def register(self, session: Session, spec: ImSpec) -> None:
        """Take in the session's device, where there is a place for it: from now on it is noted that
        something came. An older connection of the device is closed."""
        state = session.instant_messages()
        state.device_name = spec.device
        device = Device(session.who().sub, spec.device, session.connection, self._delivering)
        if self._devices.add(device):
            state.device = device
            self._cursors.came(device)

    async def open(self, session: Session, spec: ImSpec) -> Opened | ErrorBody:
        """Ask where the streams of a registered device are, or say why there are none for it: then
        the session has no device. The route must be written: whoever sends after the streams'
        ends were read must find it."""
        device = session.instant_messages().device
        if device is None:
            return ErrorBody(
                ErrorCode.TOO_MANY_DEVICES, CATALOGUE[ErrorCode.TOO_MANY_DEVICES].meaning
            )
        self._counters.opens += 1
        try:
            return Opened(device, spec, await self._ask(session, spec))
        except RequestError as error:
            self._counters.open_errors += 1
            self.close(session)
            return error.body

    def close(self, session: Session) -> None:
        """Let the session's device go, if it has one."""
        state = session.im
        if state is None or state.device is None:
            return
        device, state.device = state.device, None
        if self._devices.is_here(device):
            self._devices.remove(device)
            self._cursors.went(device)
        device.end()

    async def _ask(self, session: Session, spec: ImSpec) -> OpenAnswer:
        since = OWN_CURSOR if spec.since is None else spec.since
        answer = await self._mesh.request(
            Method.OPEN,
            Priority.NORMAL,
            encode(OpenBody(spec.device, spec.epoch, since, spec.hot)),
            uid=session.who().sub,
            room=spec.device,
            trace=self._new_trace(),
            repeatable=True,
        )
        try:
            return decode_open_answer(answer)
        except msgspec.MsgspecError:
            raise RequestError(
                ErrorCode.UNAVAILABLE, "an answer of the cluster could not be read"
            ) from None
