"""Puts the parts of instant messaging on an access node together."""

from collections.abc import Callable
from typing import Any

import trio

from access.alarms import Alarms
from access.edge.interface import Connection
from access.im.counters import ImCounters
from access.im.cursors import CursorReports
from access.im.delivering import Delivering
from access.im.devices import Devices
from access.im.ends import Ends
from access.im.hot_groups import HotGroups
from access.im.opening import Opening
from access.im.pages import Pages
from access.im.requests import ImRequests
from access.im.tails import Tails
from access.im.watch_requests import WatchRequests
from access.im.watching import Watching
from access.im.window import WindowLimits
from access.replies import Replies
from access.session import Session
from access.settings.im import ImSettings
from access.tasks import Tasks
from mesh.interface import Mesh
from proto.client_requests import ImRequest
from proto.conversations import MAILBOX
from proto.errors import ErrorCode, RequestError
from proto.headers import UsersHeader
from proto.im_frames import in_stream
from proto.requests.devices import Watch
from proto.requests.messages import Ack


class Messaging:
    """What the session layer and the mesh's receiver need to know of instant messages."""

    def __init__(
        self,
        settings: ImSettings,
        mesh: Mesh,
        alarms: Alarms,
        tasks: Tasks,
        replies: Replies,
        *,
        new_trace: Callable[[], str],
        random: Callable[[], float],
    ) -> None:
        self._settings = settings
        self.counters = ImCounters()
        self.devices = Devices(settings.max_devices, self.counters)
        self.cursors = CursorReports(lambda: list(self.devices), mesh, self.counters, new_trace)
        ends = Ends(mesh, self.counters, new_trace)
        self.hot_groups = HotGroups(mesh, tasks, self.counters, ends)
        self.tails = Tails(self.devices, self.hot_groups, ends, mesh, random)
        delivering = Delivering(
            limits=window_limits(settings),
            pages=Pages(mesh, self.counters, new_trace),
            alarms=alarms,
            tasks=tasks,
            counters=self.counters,
            cursors=self.cursors,
            hot_groups=self.hot_groups,
            reorder_s=settings.reorder_ms / 1000,
            tail_s=settings.tail_ms / 1000,
            random=random,
        )
        self.opening = Opening(
            self.devices, delivering, self.cursors, mesh, self.counters, new_trace
        )
        self._requests = ImRequests(mesh, replies, tasks, new_trace)
        self.watching = Watching(mesh, self.counters, new_trace, offline_s=settings.offline_s)
        self._watches = WatchRequests(self.watching, mesh, replies, self.counters, new_trace)

    async def run(self) -> None:
        """Run all that goes on by itself, until cancelled."""
        settings = self._settings
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.tails.run, settings.tails_s)
            nursery.start_soon(self.cursors.run, settings.cursors_s)
            nursery.start_soon(self.watching.run, settings.presence_s)
            nursery.start_soon(self._watches.run)

    def receive(self, header: UsersHeader, body: bytes) -> bool:
        """Take a message with its receivers and its numbers in their mailboxes; false where these
        do not fit together."""
        if len(header.uids) != len(header.seqs):
            return False
        somebody = False
        for uid, n in zip(header.uids, header.seqs, strict=True):
            for device in self.devices.of(uid):
                device.take(n, in_stream(MAILBOX, n, body))
                somebody = True
        self.counters.elsewhere += not somebody
        return True

    def acknowledge(self, session: Session, ack: Ack) -> bool:
        """Take an acknowledgement and say whether it is news; raises `bad_frame` for what was never
        sent."""
        device = session.im.device if session.im is not None else None
        if device is None:
            raise RequestError(
                ErrorCode.BAD_FRAME, "op: this connection takes no instant messages", field="op"
            )
        return device.acknowledge(ack)

    def request(self, session: Session, request: Watch | ImRequest, text: bytes) -> None:
        """Take a request, the client's frame `text`; answers later. Raises `overloaded`."""
        if isinstance(request, Watch):
            self._watches.request(session, request)
        else:
            self._requests.request(session, request, text)

    def closed(self, session: Session) -> None:
        """Learn that a session is gone."""
        if session.im is not None:
            self._watches.close(session)
            self.opening.close(session)

    def status(self) -> dict[str, Any]:
        """Return what goes on, as JSON-able values."""
        return {
            "devices": len(self.devices),
            "hot_groups": len(self.hot_groups),
            "watched": len(self.watching),
            "in_flight": self.counters.in_flight,
            "resends": self.counters.resends,
            "syncs": self.counters.syncs,
        }


def takes(connection: Connection) -> bool:
    """Say whether a connection takes instant messages."""
    session: Session = connection.state
    return session.im is not None and session.im.device is not None


def window_limits(settings: ImSettings) -> WindowLimits:
    """Return the bounds of each window."""
    return WindowLimits(
        max_messages=settings.in_flight,
        max_bytes=settings.in_flight_bytes,
        max_resends=settings.max_resends,
        first_rto_s=settings.first_resend_s,
        min_rto_s=settings.min_resend_s,
        max_rto_s=settings.max_resend_s,
    )
