"""Which results of the newest turn become placeholders, where it does not fit although all else has left.

The last step of making room. One by one: the smallest result whose placeholder is enough, else the largest; results
of one reply were asked for at once, so that none is older, and this way the fewest are lost. All of them go only where
no single one fits. What else the turn holds, and any plain question, stays. Pure; sizes are tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sash.model.turns import Turn, spoken
from sash.planning.inputs import Memory, Settings
from sash.planning.overflow.relief import FittedView
from sash.planning.situation import Situation, Size


def results_to_clear(
    memory: Memory, group: Sequence[Turn], situation: Situation, shape: FittedView, settings: Settings
) -> frozenset[tuple[int, str]]:
    """Results of the newest turn that have to give way beside those that do already, by seq and call id."""
    newest = spoken(group)[-1]
    told = settings.traits
    if (
        told.keeps_view
        or told.ignores_budget
        or newest.role != "user"
        or newest.plain
        or shape.decision.first_exchange != situation.newest
    ):
        return frozenset()
    if not _over(shape.prompt, situation.limit, memory.bounded) or newest.seq in shape.relief.cleared:
        return frozenset()
    gone = shape.relief.single(newest.seq)
    saves = {
        call: size for call, size in memory.cleared_sizes.saves(newest).items() if call not in gone and size.tokens
    }
    return frozenset((newest.seq, call) for call in chosen(saves, shape.prompt, situation.limit, memory.bounded))


def _over(size: Size, limit: int, bounded: bool) -> bool:
    """Whether it is too large; where only its bound is, the endpoint has the first word (`exact_count`)."""
    return (size.upper if bounded else size.tokens) > limit


def chosen(saves: Mapping[str, Size], size: Size, limit: int, bounded: bool) -> list[str]:
    """The calls whose results give way to come from `size` within `limit`, where `saves` is what each saves."""
    left, gone = dict(saves), list[str]()
    while left and _over(size, limit, bounded):
        enough = [call for call, saved in left.items() if size.upper - saved.upper <= limit]
        call = min(enough, key=lambda one: left[one].tokens) if enough else max(left, key=lambda one: left[one].tokens)
        saved = left.pop(call)
        size = Size(tokens=size.tokens - saved.tokens, upper=size.upper - saved.upper)
        gone.append(call)
    return gone
