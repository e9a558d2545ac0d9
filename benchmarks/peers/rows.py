"""One row of the result: what a way of keeping history costs and still knows on each conversation, and its times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from benchmarks.peers.judging import Judgement
from benchmarks.peers.timing import Timings
from sash.lab import ComparisonRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """On one conversation. Dollars of prompts and summaries."""

    trace: str
    dollars: float
    optimum: float
    evidence: float | None
    cached: float
    """share of the prompt tokens that was read from the cache"""
    requests: int
    refused: int = 0
    over: int = 0
    """requests above the budget"""
    largest: int | None = None
    summaries: int = 0

    @property
    def ratio(self) -> float:
        """Dollars over those of the optimum."""
        return self.dollars / self.optimum

    @property
    def per_dollar(self) -> float | None:
        """The share of the evidence, in hundredths, over the dollars."""
        return None if self.evidence is None else 100 * self.evidence / self.dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A peer, or a way of sash."""

    label: str
    about: dict[str, Any] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    timings: Timings | None = None
    problems: tuple[str, ...] = ()
    """what failed or was refused, in words"""

    def mean(self, value: Callable[[Outcome], float | None]) -> float | None:
        """Over the conversations; None where any does not tell."""
        found = [value(one) for one in self.outcomes]
        known = [one for one in found if one is not None]
        return fmean(known) if known and len(known) == len(found) else None

    def sum(self, value: Callable[[Outcome], int]) -> int:
        """Over the conversations."""
        return sum(map(value, self.outcomes))


def judged(trace: str, found: Judgement, optimum: float) -> Outcome:
    """A peer's."""
    return Outcome(
        trace=trace, dollars=found.dollars, optimum=optimum, evidence=_mean([one.share for one in found.asked]),
        cached=found.usage.cached_share, requests=found.requests, refused=found.refused, over=found.over,
        largest=found.largest, summaries=found.summaries,
    )  # fmt: skip


def compared(row: ComparisonRow, optimum: float) -> Outcome:
    """One of sash's own. A request of it that the simulator refused would have been the row's error."""
    assert row.outcome is not None and row.dollars is not None
    return Outcome(
        trace=row.trace, dollars=row.dollars, optimum=optimum, evidence=row.evidence, cached=row.outcome.hit_rate,
        requests=row.outcome.requests, over=row.outcome.over,
        largest=max((point.prompt for point in row.outcome.points), default=None),
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
