"""What recorded turns weigh: as they stand in a view after a cut, and with tool results or calls' inputs cleared.

Estimated once and remembered. What usage told of a turn beyond its estimate lies around its content, and stays
when that is cleared. Sizes are tokens; when anything is cleared is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from sash.counting.measure import NOTHING, Measure
from sash.flows.context import Counter, Sizes
from sash.model.blocks import Block
from sash.model.cards import ModelCard
from sash.model.counts import Count
from sash.model.turns import Turn
from sash.model.window import Loaded
from sash.planning.inputs import Settings
from sash.planning.overflow.clearing import cleared, names_of, offers_recall, some_cleared
from sash.planning.rules import sendable, strip_thinking
from sash.planning.situation import Size
from sash.planning.view import as_user_text


def measure(turn: Turn, counter: Counter, card: ModelCard) -> Measure:
    """What a turn holds in a view after a cut: its sent form without thinking, and without what is attached."""
    blocks = _plain(turn)
    if turn.role == "system" and not card.system_turns and blocks:
        return counter.measure_message("user", [as_user_text(block) for block in blocks])
    return counter.measure_message(turn.role, blocks) if blocks else NOTHING


def size(turn: Turn, counter: Counter, card: ModelCard) -> Count:
    """What a turn weighs there."""
    return counter.count(measure(turn, counter, card))


def _plain(turn: Turn) -> Sequence[Block]:
    return strip_thinking(sendable(turn.blocks, interrupted=turn.state == "interrupted"))


class MeasuredSizes:
    """The cleared forms of the turns of one window (`sash.planning.inputs.ClearedSizes`)."""

    def __init__(
        self, loaded: Loaded, counts: Mapping[int, Count], settings: Settings, counter: Counter, sizes: Sizes
    ) -> None:
        self._loaded, self._counts, self._settings = loaded, counts, settings
        self._counter, self._sizes = counter, sizes
        self._recall = offers_recall(settings.preamble)

    def __call__(self, turn: Turn, only: frozenset[str] | None = None) -> Count:
        """A turn with its tool results (`only`: those of these calls), or its calls' inputs, cleared."""
        form = "cleared, recallable" if self._recall else "cleared"
        key = (self._settings.model, turn.id, " ".join((form, *sorted(only or ()))))
        if key in self._sizes:
            return self._sizes[key]
        count = self._measured(turn, only)
        if turn.id:
            self._sizes[key] = count
        return count

    def saves(self, turn: Turn) -> Mapping[str, Size]:
        """What a placeholder in the place of each result of a turn would save, by call id."""
        results = [block for block in _plain(turn) if block.get("type") == "tool_result"]
        return {str(block["tool_use_id"]): self._saved(block) for block in results}

    def _saved(self, block: Block) -> Size:
        whole, slim = self._alone([block]), self._alone(cleared([block], self._names, recall=self._recall))
        return Size(tokens=max(0, whole.tokens - slim.tokens), upper=max(0, whole.upper - slim.upper))

    def _alone(self, blocks: Sequence[Block]) -> Count:
        return self._counter.count(self._counter.measure_message("user", blocks))

    def _measured(self, turn: Turn, only: frozenset[str] | None) -> Count:
        names, recall = self._names, self._recall
        blocks = _plain(turn)
        bare = (
            cleared(blocks, names, recall=recall) if only is None else some_cleared(blocks, only, names, recall=recall)
        )
        less = self._counter.count(self._counter.measure_message(turn.role, bare) if bare else NOTHING)
        whole = size(turn, self._counter, self._settings.card)
        known = self._counts.get(turn.seq, whole)
        return replace(
            less,
            tokens=less.tokens + max(0, known.tokens - whole.tokens),
            upper=less.upper + max(0, known.upper - whole.tokens),
        )

    @cached_property
    def _names(self) -> dict[str, str]:
        """The tools called, by call id."""
        called: dict[str, str] = {}
        for turn in self._loaded.all_turns:
            called.update(names_of(turn) if turn.role == "assistant" else {})
        return called
