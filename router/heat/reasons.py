"""Why a room leaves the state that it is in."""

from proto.heat import Wish
from router.heat.need import live, pressure
from router.heat.settings import HeatSettings
from router.heat.state import Heat, Reason, Signals

SETTLE_S = 4.0
"""Access nodes hear a rule within two seconds and report once a second: before this, no viewer who
has to go means no report yet."""


def why_heat(heat: Heat, signals: Signals, settings: HeatSettings) -> Reason | None:
    """Say why a normal room is to be prepared, if it is."""
    if signals.wish is Wish.COOL or heat.retry_s > 0:
        return None
    if heat.above_s >= settings.rise_s and pressure(signals, settings) >= 1:
        return Reason.OVER_THRESHOLD
    if not live(signals):
        return None
    if signals.wish is Wish.HOT:
        return Reason.OPERATOR
    return Reason.TAGGED if signals.tagged and heat.tag_s is None else None


def why_cool(heat: Heat, signals: Signals, settings: HeatSettings) -> Reason | None:
    """Say why a room is to be as all others again, if it is."""
    if signals.wish is Wish.COOL:
        return Reason.OPERATOR
    if heat.idle_s > settings.fall_s:
        return Reason.EMPTY
    held = heat.tag_s is not None and heat.tag_s < settings.tag_hold_s
    if signals.wish is Wish.HOT or held or heat.below_s <= settings.fall_s:
        return None
    return Reason.BELOW_THRESHOLD


def why_over(heat: Heat, signals: Signals, settings: HeatSettings) -> Reason | None:
    """Say why the time of both ways is over, if it is."""
    if not heat.told or heat.told_s < heat.spread_s + SETTLE_S:
        return None
    if not signals.remaining:
        return Reason.VIEWERS_MOVED
    late = heat.told_s >= heat.spread_s + SETTLE_S + settings.stragglers_s
    return Reason.STRAGGLERS if late else None
