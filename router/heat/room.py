"""One room as the controller keeps it, between two looks."""

from dataclasses import dataclass, field

from proto.heat import HeatState, Rule
from router.heat.rates import Rates
from router.heat.state import Heat


@dataclass(slots=True)
class Room:
    """What is in the store, as last seen or made, and what only this router knows."""

    name: str
    heat: Heat
    rule: Rule | None = None
    """The newest rule; `None` for a room that never had one."""
    listed: bool = False
    """Whether the rule belongs among the rules."""
    version: int | None = None
    """A version of the rules that has it; `None` until this router has seen to that."""
    rates: Rates = field(default_factory=Rates)
    pressure: float = 0.0
    stale: bool = False
    """Whether the store knows better: a call failed half way, or another router was first."""

    @property
    def resting(self) -> bool:
        """Whether it is as all others are, and nothing is left to be done for it."""
        return self.heat.state is HeatState.NORMAL and not self.listed
