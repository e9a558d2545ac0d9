"""What one word of `memory=` stands for: which window, how much of it always stays, how much is recalled.

Parts are parts of the budget. What a conversation says itself (`strategy=`, `keep=`, `recall=`, `summarise=`) goes
before what its word says. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, get_args

from sash.conversation.arguments import check_choice
from sash.planning.situation import Strategy
from sash.planning.strategies import Economic, Summarised
from sash.planning.traits import traits
from sash.recall import Recall
from sash.stores.embedders import installed
from sash.types import MemoryMode

LEAST, FEW = 200, 8
"""Tokens that hold two or three quoted turns: less is of no use, unless they are more than an eighth of the budget."""
RECALLED, QUARTER = 2_000, 4
"""Tokens that hold most of what answers a question: less is recalled only where they are more than a quarter of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One way to remember."""

    strategy: Strategy
    budget: int = 32_000
    """tokens, where the conversation names none"""
    keep: int
    """the part of the budget that the newest turns always have: one in so many"""
    recall: int | None
    """the part of it that is recalled for a question, at least; None: nothing is"""
    recall_least: int = RECALLED
    """tokens that are recalled even if they are more than that part, up to a quarter of the budget"""
    others: bool = False
    """whether the user's other conversations are searched, too, where the conversation is somebody's"""
    distils: bool = False
    """whether the model that summarises also reads what the user said, for their profile"""
    instructions: int | None = 32
    """the part of it that the user's standing instructions may take; None: they are not quoted"""

    @lru_cache(maxsize=64)  # noqa: B019 - modes are few, and last
    def recalls(self, budget: int) -> Recall | None:
        """What is recalled under a budget."""
        if self.recall is None:
            return None
        return Recall(tokens=max(_part(budget, self.recall), min(self.recall_least, budget // QUARTER)))

    def quotes(self, budget: int) -> int:
        """Tokens of standing instructions under a budget; 0: they are not quoted."""
        return _part(budget, self.instructions) if self.instructions else 0


def _part(budget: int, of: int) -> int:
    return max(1, min(LEAST, budget // FEW), budget // of)


_UNTIL_FORCED = Summarised(inner=Economic(early=False))

MODES: Mapping[MemoryMode, Mode] = {
    "none": Mode(strategy=Economic(), keep=4, recall=None, instructions=None),
    "lean": Mode(strategy=Economic(), keep=16, recall=20, recall_least=1_000),
    "balanced": Mode(strategy=Economic(), keep=4, recall=16),
    "full": Mode(strategy=_UNTIL_FORCED, keep=4, recall=16, others=True, distils=True),
    "all": Mode(strategy=_UNTIL_FORCED, budget=100_000, keep=2, recall=16, others=True, distils=True),
}


def mode_of(memory: MemoryMode) -> Mode:
    """The mode that a word names. Raises InvalidOption, which lists them."""
    check_choice("memory", memory, get_args(MemoryMode))
    return MODES[memory]


def searching(recall: Recall) -> Recall:
    """`recall` with what it leaves open: meaning is searched where the extra `semantic` is installed."""
    return recall if recall.semantic is not None else replace(recall, semantic=installed())


_NOTHING = "nothing comes back with a question"


class InForce(Protocol):
    """What a conversation comes to."""

    memory: MemoryMode
    strategy: Strategy
    budget: int
    keep: int
    recalls: Recall | None
    instructions: int


def told(chosen: InForce) -> str:
    """What is in force, in plain words."""
    has, keep, recall = traits(chosen.strategy), min(chosen.keep, chosen.budget), chosen.recalls
    window = (
        "all is sent"
        if has.ignores_budget
        else f"the newest {keep:,} tokens are always sent, {_older(chosen.strategy)}"
    )
    parts = (
        window,
        "what leaves is summarised" if has.summarises else "",
        f"up to {recall.tokens:,} tokens of what is no longer sent come back with a question" if recall else _NOTHING,
        "what you asked to hold is quoted again" if chosen.instructions else "",
    )
    return f"Memory {chosen.memory!r}: {'; '.join(filter(None, parts))}"


def _older(strategy: Any) -> str:
    """When older turns leave, as far as their own strategy tells."""
    inner = getattr(strategy, "inner", strategy)
    if not isinstance(inner, Economic):
        return f"older ones as {type(inner).__name__} says"
    return "older ones while that costs less" if inner.early else "older ones while they fit the budget"
