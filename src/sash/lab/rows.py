"""One row of a comparison: a contender on one trace, with one model and budget, and the least that could be paid.

Dollars are those of the prompts, and of what else a strategy pays for (summaries, compaction); replies cost the same
whatever is kept. Evidence is the share of what answers the questions that stood in the requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from sash.lab.living import QuestionOutcome
from sash.replay import Optima, ReplayOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastCosts:
    """The least that could have been paid for a trace, in dollars."""

    optima: Optima
    """with all of the future known"""
    mixed: float | None = None
    """the same for policies that may mix lifetimes inside a view, where it was asked for"""
    expected: float | None = None
    """what the best policy expects to pay that knows the traffic's law alone, where there is one"""
    oversized: int = 0
    """exchanges of the trace that alone pass the budget"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """A contender on one trace; where it failed, `error` says why and nothing else is known."""

    trace: str
    model: str
    strategy: str
    keep: int
    budget: int
    outcome: ReplayOutcome | None = None
    bounds: LeastCosts | None = None
    asked: tuple[QuestionOutcome, ...] = field(default=(), repr=False)
    """what became of each question"""
    replies: float | None = None
    """dollars of the replies, where the conversation was lived; not among those of the outcome"""
    error: str = ""

    @property
    def dollars(self) -> float | None:
        """Of the prompts, and of what else the strategy pays for."""
        return self.outcome.dollars if self.outcome else None

    @property
    def ratio(self) -> float | None:
        """Dollars over those of the optimum that moves the start alone."""
        return self._over(self._optimum("starts"))

    @property
    def clearing_ratio(self) -> float | None:
        """Dollars over the bound below which no policy goes that clears tool results, too."""
        return self._over(self._optimum("least"))

    @property
    def expected_ratio(self) -> float | None:
        """Dollars over what the best policy without foresight expects to pay."""
        return self._over(_of(self.bounds, "expected"))

    @property
    def evidence(self) -> float | None:
        """The share of the evidence that stood in the requests, the mean over questions."""
        return fmean(one.share for one in self.asked) if self.asked else None

    def _over(self, least: float | None) -> float | None:
        return self.outcome.dollars / least if self.outcome and least else None

    def as_json(self) -> dict[str, Any]:
        """One flat object; what is not known is None."""
        named = {"trace": self.trace, "model": self.model, "strategy": self.strategy}
        sizes = {"keep": self.keep, "budget": self.budget}
        return {**named, **sizes, **self._money(), **self._known(), **self._run(), "error": self.error or None}

    def _optimum(self, name: str) -> float | None:
        found: float | None = _of(_of(self.bounds, "optima"), name)
        return found

    def _money(self) -> dict[str, Any]:
        mixed, expected = _of(self.bounds, "mixed"), _of(self.bounds, "expected")
        return {
            "dollars": _rounded(self.dollars, 8),
            "optimum": _rounded(self._optimum("starts"), 8),
            "ratio": _rounded(self.ratio, 5),
            "clearing_least": _rounded(self._optimum("least"), 8),
            "clearing_most": _rounded(self._optimum("most"), 8),
            "clearing_ratio": _rounded(self.clearing_ratio, 5),
            "mixed_optimum": _rounded(mixed, 8),
            "mixed_ratio": _rounded(self._over(mixed), 5),
            "without_foresight": _rounded(expected, 8),
            "without_foresight_ratio": _rounded(self.expected_ratio, 5),
            "reply_dollars": _rounded(self.replies, 8),
        }

    def _known(self) -> dict[str, Any]:
        """What it still knew when it was asked, of all and by category."""
        if not self.asked:
            return {"evidence": None, "questions": None}
        shares = {name: fmean(one.share for one in some) for name, some in by_category(self.asked).items()}
        return {
            "evidence": _rounded(self.evidence, 5),
            **{f"evidence_{name}": _rounded(share, 5) for name, share in shares.items()},
            "misled": _rounded(fmean(one.misled for one in self.asked) or None, 5),
            "questions": len(self.asked),
            "recalled": round(fmean(one.recalled for one in self.asked), 1),
        }

    def _run(self) -> dict[str, Any]:
        run, usage = self.outcome, _of(self.outcome, "usage")
        return {
            "hit_rate": _rounded(_of(run, "hit_rate"), 5),
            "cuts": _of(run, "cuts"),
            "requests": _of(run, "requests"),
            "fresh": _of(usage, "fresh"),
            "read": _of(usage, "read"),
            "written": _of(usage, "write"),
            "mean_verbatim": _rounded(_of(run, "mean_verbatim"), 1),
            "min_verbatim": _of(run, "min_verbatim"),
            "below_keep": _of(run, "broken"),
            "over_budget": _of(run, "over"),
            "oversized_exchanges": _of(self.bounds, "oversized"),
        }


def _of(value: Any, name: str) -> Any:
    """An attribute; None of what is not known."""
    return None if value is None else getattr(value, name)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def by_category(asked: Iterable[QuestionOutcome]) -> dict[str, list[QuestionOutcome]]:
    """What became of questions, by their categories as a column names them, in order of the alphabet."""
    found: dict[str, list[QuestionOutcome]] = {}
    for one in asked:
        if one.category:
            found.setdefault(re.sub(r"\W+", "_", one.category), []).append(one)
    return dict(sorted(found.items()))
