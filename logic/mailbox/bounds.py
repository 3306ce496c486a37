"""How much one transaction takes. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backends.database.diffusing import Stored
from logic.mailbox.plan import Plan


class Bounds(NamedTuple):
    """Messages of each conversation and in all, and rows."""

    each: int
    messages: int
    rows: int


def affordable(convs: Sequence[str], sizes: Mapping[str, int], rows: int) -> list[str]:
    """Return the first of `convs` that take about `rows` rows with a message each, where groups
    have these `sizes`: of the others nothing need be read."""
    used = 0
    for index, conv in enumerate(convs):
        if used >= rows:
            return list(convs[:index])
        used += sizes.get(conv, 1)
    return list(convs)


def unfinished(plan: Plan, new: Sequence[Stored], bounds: Bounds) -> set[str]:
    """Return the conversations that may have more: those that were read to a bound, or not
    planned to the end."""
    read = Counter(each.conv for each in new)
    last = {each.conv: each.seq for each in new}
    left = {conv for conv, seq in last.items() if plan.cursor(conv).seq < seq}
    left |= {conv for conv, count in read.items() if count == bounds.each}
    if len(new) == bounds.messages:
        # The statement reads by conversation: those after the last one may not have had a turn.
        left |= {conv for conv in plan.cursors if conv not in last} | {new[-1].conv}
    return left
