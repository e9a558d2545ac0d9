"""The means of a comparison: each contender over all traces, with how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from sash.lab.intervals import Interval, interval
from sash.lab.rows import ComparisonRow, by_category


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """A mean, and where 95% of the means lie when conversations are drawn again."""

    mean: float
    between: Interval | None
    """None for a single value"""

    def __repr__(self) -> str:
        spread = f" ({self.between.low:.4g} to {self.between.high:.4g})" if self.between else ""
        return f"{self.mean:.4g}{spread}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """A contender over all traces of a comparison, with one model and budget; None where nothing is known."""

    strategy: str
    model: str
    keep: int
    budget: int
    traces: int
    failed: int
    """traces on which it failed; the means are of the others"""
    error: str
    """of the first of them"""
    dollars: Estimate | None = None
    """per trace"""
    ratio: Estimate | None = None
    worst: float | None = None
    """the largest ratio"""
    clearing_ratio: float | None = None
    expected_ratio: float | None = None
    evidence: Estimate | None = None
    categories: Mapping[str, Estimate] = field(default_factory=dict)
    """evidence by category"""
    questions: int = 0
    hit_rate: float | None = None
    cuts: float | None = None
    kept: float | None = None
    """verbatim tokens"""


def averages_of(rows: Iterable[ComparisonRow], seed: int) -> tuple[Average, ...]:
    """Each contender by model and budget, the cheapest first; those that failed come last."""
    groups: dict[tuple[str, int, str], list[ComparisonRow]] = {}
    for row in rows:
        groups.setdefault((row.model, row.budget, row.strategy), []).append(row)
    found = [_average(some, seed) for some in groups.values()]
    return tuple(sorted(found, key=_by_cost))


def _by_cost(average: Average) -> tuple[bool, float]:
    return bool(average.failed), average.dollars.mean if average.dollars else float("inf")


def _average(rows: Sequence[ComparisonRow], seed: int) -> Average:
    first, whole = rows[0], [row for row in rows if row.outcome is not None]
    runs = [row.outcome for row in whole if row.outcome is not None]
    failed = [row for row in rows if row.outcome is None]
    asked = [row.asked for row in whole if row.asked]
    shares = {name: None for some in asked for name in by_category(some)}
    ratios = [row.ratio for row in whole if row.ratio is not None]
    return Average(
        strategy=first.strategy,
        model=first.model,
        keep=(whole or rows)[0].keep,
        budget=first.budget,
        traces=len(rows),
        failed=len(failed),
        error=failed[0].error if failed else "",
        dollars=_estimate([[run.dollars] for run in runs], seed),
        ratio=_estimate([[ratio] for ratio in ratios], seed),
        worst=max(ratios, default=None),
        clearing_ratio=_mean(row.clearing_ratio for row in whole),
        expected_ratio=_mean(row.expected_ratio for row in whole),
        evidence=_estimate([[one.share for one in some] for some in asked], seed),
        categories={
            name: found
            for name in sorted(shares)
            if (found := _estimate([[one.share for one in by_category(some).get(name, ())] for some in asked], seed))
        },
        questions=sum(map(len, asked)),
        hit_rate=_mean(run.hit_rate for run in runs),
        cuts=_mean(run.cuts for run in runs),
        kept=_mean(run.mean_verbatim for run in runs),
    )


def _estimate(groups: Sequence[Sequence[float]], seed: int) -> Estimate | None:
    """The mean of all values, by conversation, and its interval; None where there is none."""
    values = [value for group in groups for value in group]
    return Estimate(mean=fmean(values), between=interval(groups, seed)) if values else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
