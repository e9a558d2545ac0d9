"""The plain windows: all there is, the newest that fit, and two watermarks.

`SlidingWindow` is the classic: simple, and dear, for each slide rewrites the cache. `SteppedWindow` lets the view grow
to the high mark, then cuts it to the low one in one step.
"""

from __future__ import annotations

from dataclasses import dataclass

from sash.errors import InvalidOption
from sash.model.settings import settings
from sash.planning.situation import Decision, Situation
from sash.planning.strategies.base import Named


@settings
@dataclass(frozen=True, slots=True, repr=False)
class Everything(Named):
    """Every exchange, up to the model's window; the budget is ignored, and beyond the window nothing fits."""

    ignores_budget = True

    def decide(self, situation: Situation) -> Decision:
        """Start at the first exchange, always."""
        rule = "first" if situation.first_exchange is None else "stay"
        return Decision(first_exchange=0, rule=rule, reason="nothing is ever left out")


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
        before = situation.first_exchange or 0
        if not situation.may_cut():
            return Decision(
                first_exchange=before, rule="stay", reason="Claude is at work with tools, and all of it fits"
            )
        start = situation.fitting(max(before, self._start(situation)))
        if situation.first_exchange is None:
            return Decision(first_exchange=start, rule="first", reason="this is the first request")
        if start == situation.first_exchange:
            return Decision(first_exchange=start, rule="stay", reason="nothing has to leave yet")
        reason = f"the oldest questions leave with their answers, {start - before} this time: {self._what()} are sent"
        return Decision(first_exchange=start, rule="slide", reason=reason)

    def _start(self, situation: Situation) -> int:
        if self.turns is not None:
            return max(0, len(situation.exchanges) - self.turns)
        most = self.tokens if self.tokens is not None else situation.limit
        return next((i for i in range(situation.newest) if situation.kept(i) <= most), situation.newest)

    def _what(self) -> str:
        if self.turns is not None:
            return f"the newest {self.turns:,}"
        return f"the newest {self.tokens:,} tokens" if self.tokens is not None else "as many as the budget allows"


@settings
@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class SteppedWindow(Named):
    """Cut to the shortest run holding `keep` tokens when the prompt would pass `high` tokens.

    Defaults: `keep` of the conversation, and its budget as `high`.
    """

    keep: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and self.high is not None and self.keep >= self.high:
            raise InvalidOption(
                f"SteppedWindow(keep={self.keep}, high={self.high}): keep must lie below high",
                option="keep",
                value=self.keep,
            )

    def decide(self, situation: Situation) -> Decision:
        """Stay while the upper bound of the prompt is within `high`."""
        high = min(self.high if self.high is not None else situation.limit, situation.limit)
        keep = self.keep if self.keep is not None else situation.keep
        before = situation.first_exchange if situation.first_exchange is not None else 0
        upper = situation.prompt(before).upper
        if upper <= high:
            rule = "first" if situation.first_exchange is None else "stay"
            reason = f"nothing has to leave: the prompt takes at most {upper:,} tokens, and may reach {high:,}"
            return Decision(first_exchange=before, rule=rule, reason=reason)
        if not situation.may_cut():
            reason = f"nothing leaves while Claude is at work with tools, though {upper:,} tokens could pass {high:,}"
            return Decision(first_exchange=before, rule="stay", reason=reason)
        start = max(before, situation.shortest(keep))
        return Decision(
            first_exchange=start,
            rule="must" if upper > situation.limit else "step",
            reason=f"the prompt could take {upper:,} tokens, more than {high:,}: "
            f"the oldest turns leave, the newest {situation.kept(start):,} tokens stay",
        )
