"""Puts the keeper of rooms' heat together from the router's outer parts."""

from collections.abc import Callable

from backends.heat.interface import HeatStore
from backends.leases.interface import Duties
from backends.likes.interface import Census
from backends.provisioner.interface import Provisioner
from proto.identity import NodeIdentity
from router.heat.controller import Controller
from router.heat.counters import HeatCounters
from router.heat.provisioning import Provisioning
from router.heat.seeing import Active, Seeing
from router.heat.settings import HeatSettings
from router.heat.shards import Shards
from router.heat.telling import Telling
from router.presence import Presence


def make_controller(
    settings: HeatSettings,
    node: NodeIdentity,
    presence: Presence,
    active: Callable[[], Active],
    telling: Telling,
    counters: HeatCounters,
    now_ms: Callable[[], int],
    *,
    store: HeatStore,
    census: Census,
    duties: Duties,
    provisioner: Provisioner | None,
) -> Controller:
    """Return the controller of the router `node`."""
    shards = Shards(node, duties, lambda: (each.node for each in presence.living("router")))
    seeing = Seeing(node.node, store, census, presence, active)
    provisioning = Provisioning(provisioner, store, settings.prepare_s, counters)
    return Controller(settings, store, shards, seeing, provisioning, telling, counters, now_ms)
