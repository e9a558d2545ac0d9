"""The classic: at every request the newest turns that fit. Simple, and dear: each slide rewrites the cache."""

from __future__ import annotations

from dataclasses import dataclass

from sash.errors import InvalidOption
from sash.model.settings import settings
from sash.planning.situation import Decision, Situation
from sash.planning.strategies.base import Named


@settings
@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class SlidingWindow(Named):
    """Keep the newest `tokens` of exchanges (default: what the budget allows), or the newest `turns` user turns."""

    tokens: int | None = None
    turns: int | None = None

    def __post_init__(self) -> None:
        if self.tokens is not None and self.turns is not None:
            raise InvalidOption("SlidingWindow takes tokens= or turns=, not both", option="turns", value=self.turns)
        for name, value in (("tokens", self.tokens), ("turns", self.turns)):
            if value is not None and value < 1:
                raise InvalidOption(
                    f"SlidingWindow({name}={value}) keeps nothing; use at least 1", option=name, value=value
                )

    def decide(self, situation: Situation) -> Decision:
        """Move the start as far as the size demands, never back."""
        before = situation.start or 0
        if not situation.may_cut():
            return Decision(start=before, rule="stay", reason="Claude is at work with tools, and all of it fits")
        start = situation.fitting(max(before, self._start(situation)))
        if situation.start is None:
            return Decision(start=start, rule="first", reason="this is the first request")
        if start == situation.start:
            return Decision(start=start, rule="stay", reason="nothing has to leave yet")
        reason = f"the oldest questions leave with their answers, {start - before} this time: {self._what()} are sent"
        return Decision(start=start, rule="slide", reason=reason)

    def _start(self, situation: Situation) -> int:
        if self.turns is not None:
            return max(0, len(situation.exchanges) - self.turns)
        most = self.tokens if self.tokens is not None else situation.limit
        return next((i for i in range(situation.newest) if situation.kept(i) <= most), situation.newest)

    def _what(self) -> str:
        if self.turns is not None:
            return f"the newest {self.turns:,}"
        return f"the newest {self.tokens:,} tokens" if self.tokens is not None else "as many as the budget allows"
