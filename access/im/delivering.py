"""What all devices share, and what they ask of the parts around them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from access.alarms import Alarms
from access.im.counters import ImCounters
from access.im.pages import Pages
from access.im.window import WindowLimits
from access.tasks import Tasks

if TYPE_CHECKING:
    from access.im.device import Device


class HotGroups(Protocol):
    """Who hands hot groups' messages out."""

    def enter(self, conv: str, device: "Device") -> None:
        """Let `device` have the group's messages from now on."""

    def leave(self, conv: str, device: "Device") -> None:
        """Let it have no more."""


class Cursors(Protocol):
    """Who reports how far devices are."""

    def acknowledged(self, device: "Device", stream: str, n: int) -> None:
        """Report that `device` has all of `stream` up to `n`."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """What all devices share."""

    limits: WindowLimits
    pages: Pages
    alarms: Alarms
    tasks: Tasks
    counters: ImCounters
    cursors: Cursors
    hot_groups: HotGroups
    reorder_s: float
    tail_s: float
    random: Callable[[], float]
