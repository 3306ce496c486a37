"""The heat machine: a room, what is seen of it and the time in; the room and what to do out.

    normal -> preparing -> moving -> hot -> cooling -> normal
                 |            |______________^
                 |-> normal

It has no clock, no store and no randomness, so that the router's controller, tests and the
simulation run the same one. It never sticks: each state but normal and hot ends by itself after a
time that the settings bound, whatever does not answer.

`step` takes it that what it asks for is done. Where an `Advance` is refused (another router was
first) or its outcome is unknown, the caller drops the result and goes on from what the store has.
"""

from msgspec.structs import replace

from proto.heat import HeatState, Wish
from router.heat.need import live, nodes_for, pressure, spread_s, wanted
from router.heat.reasons import why_cool, why_heat, why_over
from router.heat.settings import HeatSettings
from router.heat.state import (
    LONG_AGO_S,
    Action,
    Advance,
    Forget,
    Heat,
    Provide,
    Reason,
    Release,
    Signals,
    Step,
)

MAX_STEP_S = 3.0
"""Most that one tick counts for: a clock that jumps, or a router that slept, skips no waiting."""

RULE_LEASE_S = 3.0
"""How old a gateway's view of the rules may be before it sends nobody anywhere."""

UNTOLD_S = RULE_LEASE_S + 1.0
"""After so long a gateway that has not acknowledged a rule can't go by an older one."""

ASK_AGAIN_S = 5.0
LONGEST_RETRY_S = 600.0
STEADY_S = 300.0
"""A room that was hot for so long had no failed upgrade."""

KEEP_POOL_S = 10.0
"""Nodes of a pool live on for so long after the room is normal: the last may still be leaving."""

TELL_NORMAL_S = 60.0
"""How long a normal room's rule is told."""


def step(heat: Heat, signals: Signals, now_s: float, settings: HeatSettings) -> Step:
    """Return the room after the time since the last step, and what is to be done.

    `now_s` is any clock in seconds; once a second is usual. Of several actions the first may be an
    `Advance`, and there is never more than one.
    """
    heat = _passed(heat, signals, now_s, settings)
    signals = signals._replace(online=heat.online)
    match heat.state:
        case HeatState.NORMAL:
            return _normal(heat, signals, settings)
        case HeatState.PREPARING:
            return _preparing(heat, signals, settings)
        case HeatState.MOVING:
            return _moving(heat, signals, settings)
        case HeatState.HOT:
            return _hot(heat, signals, settings)
        case HeatState.COOLING:
            return _cooling(heat, signals, settings)


def provided(heat: Heat, pool: str) -> Heat:
    """Return the room after the provisioner has said that `pool` is to be its pool.

    A room whose viewers move keeps the pool that its rule names.
    """
    heat = replace(heat, trouble="")
    return heat if heat.state.pooled or not pool else replace(heat, pool=pool)


def troubled(heat: Heat, why: str) -> Heat:
    """Return the room after the provisioner has failed; `why` is for whoever asks about it."""
    return replace(heat, trouble=why)


def released(heat: Heat) -> Heat:
    """Return the room after the provisioner has taken its pool back."""
    return replace(heat, pool="", nodes=0) if heat.state is HeatState.NORMAL else heat


def _passed(heat: Heat, signals: Signals, now_s: float, settings: HeatSettings) -> Heat:
    """Let the time since the last step pass."""
    last_s = now_s if heat.at_s is None else heat.at_s
    dt = min(max(now_s - last_s, 0.0), MAX_STEP_S)
    told = heat.told or signals.told or heat.in_state_s + dt >= UNTOLD_S
    told_s = heat.told_s + dt if heat.told else 0.0
    heat = _felt(heat, signals, dt, settings)
    return replace(
        heat,
        at_s=now_s,
        in_state_s=heat.in_state_s + dt,
        told=told,
        told_s=told_s,
        unready_s=0.0 if signals.ready else heat.unready_s + dt,
        asked_s=heat.asked_s + dt,
        retry_s=_rest_s(heat.retry_s - dt, signals, settings),
    )


def _rest_s(retry_s: float, signals: Signals, settings: HeatSettings) -> float:
    """Return how long a room that failed is left alone; shorter if an operator waits for it."""
    longest = settings.retry_s if signals.wish is Wish.HOT else LONGEST_RETRY_S
    return min(max(0.0, retry_s), longest)


def _felt(heat: Heat, signals: Signals, dt: float, settings: HeatSettings) -> Heat:
    """Count how long the room has been over or below its thresholds; not while nobody knows."""
    if signals.online is None:
        return heat
    now = pressure(signals, settings)
    idle_s = 0.0 if live(signals) else heat.idle_s + dt
    tag_s = None if heat.tag_s is None else heat.tag_s + dt
    return replace(
        heat,
        online=signals.online,
        above_s=heat.above_s + dt if now >= 1 else 0.0,
        below_s=heat.below_s + dt if now < settings.cool_ratio else 0.0,
        idle_s=idle_s,
        # The broadcast is over: the next one starts by the tag again.
        tag_s=None if idle_s > settings.fall_s else tag_s,
    )


def _normal(heat: Heat, signals: Signals, settings: HeatSettings) -> Step:
    reason = why_heat(heat, signals, settings)
    if reason is not None:
        # A pool of the last time may be on its way back: it counts once it is given anew.
        nodes = wanted(signals, settings, least=_least(reason, settings))
        heat = replace(heat, pool="", nodes=nodes)
        if reason is Reason.TAGGED:
            heat = replace(heat, tag_s=0.0)
        preparing = _advance(heat, HeatState.PREPARING, reason)
        return _asking(preparing, signals)
    if heat.pool:
        due = heat.in_state_s >= KEEP_POOL_S and heat.asked_s >= ASK_AGAIN_S
        return _with(replace(heat, asked_s=0.0), Release(heat.pool)) if due else Step(heat)
    return _with(heat, Forget()) if heat.fence and heat.in_state_s >= TELL_NORMAL_S else Step(heat)


def _preparing(heat: Heat, signals: Signals, settings: HeatSettings) -> Step:
    reason = why_cool(heat, signals, settings)
    if reason is not None:
        return _advance(heat, HeatState.NORMAL, reason)
    late = heat.in_state_s >= settings.prepare_s
    enough = nodes_for(heat.online, settings) if late else heat.nodes
    if heat.pool and signals.ready >= enough:
        spread = spread_s(signals, settings, settings.headroom)
        return _advance(heat, HeatState.MOVING, Reason.NODES_READY, spread)
    if late:
        few = f"{signals.ready} of {heat.nodes} dedicated nodes ready in {settings.prepare_s:g} s"
        return _advance(_failed(heat, few, settings), HeatState.NORMAL, Reason.NO_CAPACITY)
    return _asking(Step(heat), signals)


def _moving(heat: Heat, signals: Signals, settings: HeatSettings) -> Step:
    if (back := _back(heat, signals, settings)) is not None:
        return back
    reason = why_over(heat, signals, settings)
    if reason is not None:
        return _advance(heat, HeatState.HOT, reason)
    return _asking(Step(heat), signals)


def _hot(heat: Heat, signals: Signals, settings: HeatSettings) -> Step:
    if (back := _back(heat, signals, settings)) is not None:
        return back
    if nodes_for(heat.online, settings) > heat.nodes:
        heat = replace(heat, nodes=wanted(signals, settings))
    if heat.failures and heat.in_state_s >= STEADY_S:
        heat = replace(heat, failures=0)
    return _asking(Step(heat), signals)


def _cooling(heat: Heat, signals: Signals, settings: HeatSettings) -> Step:
    reason = why_over(heat, signals, settings)
    return Step(heat) if reason is None else _advance(heat, HeatState.NORMAL, reason)


def _back(heat: Heat, signals: Signals, settings: HeatSettings) -> Step | None:
    """Return the step to cooling, if the room has to go back."""
    reason = why_cool(heat, signals, settings)
    if heat.unready_s >= settings.lost_s:
        none = f"no dedicated node ready for {settings.lost_s:g} s"
        heat, reason = _failed(heat, none, settings), Reason.POOL_LOST
    if reason is None:
        return None
    return _advance(heat, HeatState.COOLING, reason, spread_s(signals, settings))


def _least(reason: Reason, settings: HeatSettings) -> int:
    """Return for how many viewers a room is prepared at least: one that starts hot will have as
    many as a hot room has."""
    return 0 if reason is Reason.OVER_THRESHOLD else settings.online


def _failed(heat: Heat, why: str, settings: HeatSettings) -> Heat:
    """Let the room rest; what the provisioner said says more than `why`."""
    retry_s = min(LONGEST_RETRY_S, settings.retry_s * 2.0 ** min(heat.failures, 10))
    # The tag may start it again: this time it did not.
    trouble = heat.trouble or why
    failures = heat.failures + 1
    return replace(heat, failures=failures, retry_s=retry_s, trouble=trouble, tag_s=None)


def _advance(heat: Heat, to: HeatState, reason: Reason, spread_s: float = 0.0) -> Step:
    action = Advance(to, heat.pool, round(spread_s * 1000), reason, heat.in_state_s)
    entered = replace(
        heat,
        state=to,
        spread_s=spread_s,
        in_state_s=0.0,
        told=False,
        told_s=0.0,
        unready_s=0.0,
        asked_s=LONG_AGO_S,
        above_s=0.0,
        below_s=0.0,
    )
    return Step(entered, (action,))


def _asking(taken: Step, signals: Signals) -> Step:
    """Add that the provisioner is asked for what is missing, now and then."""
    heat = taken.heat
    complete = heat.pool and signals.ready >= heat.nodes
    if complete or heat.asked_s < ASK_AGAIN_S:
        return taken
    asked = replace(heat, asked_s=0.0)
    return Step(asked, (*taken.actions, Provide(heat.pool, heat.nodes)))


def _with(heat: Heat, action: Action) -> Step:
    return Step(heat, (action,))
