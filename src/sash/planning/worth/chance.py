"""How likely what a tool result says is needed again: by its age, its last use, and what came in its place.

The numbers are shares counted in recorded coding sessions and customer-service runs: of results of 1,000
characters or more, how many said something that a later call took from nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from sash.model.values import counted
from sash.planning.situation import Worth
from sash.planning.worth.ledger import KnownResult

FRESH = 0.38
"""of a result that has just come"""
HALVED = 6.0
"""replies after its last use by which that is half"""
HALVED_UNUSED = 60.0
"""the same where nothing of it was used yet: what was read for later"""
CHANGED = 0.5
"""what is left of it where a later call changed what the result shows"""
REPLACED = 0.01
"""the chance where a newer result of the same call, or one that says the same, stands in the view"""


def needed_again(one: KnownResult, step: int) -> float:
    """The chance after `step` replies."""
    if one.replaced or one.repeated:
        return REPLACED
    halved = HALVED if one.used > one.step else HALVED_UNUSED
    return FRESH / (1.0 + (step - one.used) / halved) * (CHANGED if one.changed else 1.0)


def worth_of(results: Sequence[KnownResult], step: int) -> Worth:
    """What a turn with these results is worth: the chance that any of them is needed again, and why."""
    if not results:
        return Worth()
    again = 1.0 - prod(1.0 - needed_again(one, step) for one in results)
    likeliest = max(results, key=lambda one: needed_again(one, step))
    return Worth(
        again=again,
        tools=tuple(one.call.tool for one in results),
        why=because(likeliest, step),
    )


def because(one: KnownResult, step: int) -> str:
    """Why that is its chance, in words."""
    if one.replaced:
        return f"the same call was made again (turn {one.replaced})"
    if one.repeated:
        return f"a newer result says the same (turn {one.repeated})"
    idle = counted(step - one.used, "reply")
    said = f"last used {idle} ago" if one.used > one.step else f"{idle} old, nothing of it used"
    return f"{said}, and what it shows was changed since (turn {one.changed})" if one.changed else said
