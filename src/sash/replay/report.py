"""Several strategies over several traces: rows, averages with their confidence, JSON and charts.

`compare` runs everything and holds it against the clairvoyant optima. `html` draws with inline SVG and
needs nothing; `png` needs matplotlib (the extra `charts`), loaded on first use. Dollars are those of the
prompts. It writes no file but the one `png` is given.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from itertools import chain
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from sash.errors import InvalidOption, MissingExtra
from sash.planning.situation import Marks, Strategy
from sash.replay.clairvoyant import mixed_optimum
from sash.replay.clearing import Optima, optima
from sash.replay.engine import ReplayOutcome, Terms, run
from sash.replay.traces import Trace

COLORS = ("#1565c0", "#c62828", "#2e7d32", "#6a1b9a", "#ef6c00", "#00838f", "#5d4037", "#455a64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A strategy in a comparison; `marks` are for strategies that choose none (None: those of the terms)."""

    strategy: Strategy
    marks: Marks | None = None

    @property
    def label(self) -> str:
        """Its row label: the strategy's repr, and the marks it was given."""
        if self.marks is None:
            return repr(self.strategy)
        return f"{self.strategy!r}, tail {self.marks.tail or 'unmarked'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One strategy on one trace, beside the least that any policy could have paid."""

    outcome: ReplayOutcome
    optima: Optima
    mixed: float | None = None
    """the optimum that may mix lifetimes inside a view, where it was asked for"""
    oversized: int = 0
    """exchanges of the trace that alone pass the budget"""

    @property
    def ratio(self) -> float:
        """Dollars over those of the optimum that moves the start alone."""
        return self.outcome.dollars / self.optima.starts

    @property
    def clearing_ratio(self) -> float:
        """Dollars over the bound below which no policy goes that clears tool results, too."""
        return self.outcome.dollars / self.optima.least

    def as_json(self) -> dict[str, Any]:
        """One flat object."""
        o = self.outcome
        found = {
            "trace": o.trace,
            "model": o.model,
            "strategy": o.strategy,
            "keep": o.keep,
            "budget": o.budget,
            "dollars": round(o.dollars, 8),
            "optimum": round(self.optima.starts, 8),
            "ratio": round(self.ratio, 5),
            "clearing_least": round(self.optima.least, 8),
            "clearing_most": round(self.optima.most, 8),
            "clearing_ratio": round(self.clearing_ratio, 5),
            "hit_rate": round(o.hit_rate, 5),
            "cuts": o.cuts,
            "requests": o.requests,
            "fresh": o.usage.fresh,
            "read": o.usage.read,
            "written": o.usage.write,
            "mean_verbatim": round(o.mean_verbatim, 1),
            "min_verbatim": o.min_verbatim,
            "below_keep": o.broken,
            "over_budget": o.over,
            "oversized_exchanges": self.oversized,
        }
        if self.mixed is not None:
            found |= {"mixed_optimum": round(self.mixed, 8), "mixed_ratio": round(o.dollars / self.mixed, 5)}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """A strategy over all traces of a comparison with the same keep and budget."""

    strategy: str
    keep: int
    budget: int
    traces: int
    dollars: float
    """mean per trace"""
    ratio: float
    """mean"""
    error: float | None
    """half the width of the mean ratio's 95% interval over traces (Student); None for a single trace"""
    worst: float
    clearing_ratio: float
    """mean"""
    hit_rate: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows of a comparison."""

    rows: tuple[TraceRow, ...]

    def to_json(self) -> str:
        """A JSON list, one object per row."""
        return json.dumps([row.as_json() for row in self.rows], indent=1)

    def _repr_html_(self) -> str:
        return str(_load_comparison_html()(self.rows))

    def averages(self) -> tuple[Average, ...]:
        """Per strategy, keep and budget, the cheapest first within a setting."""
        groups: dict[tuple[int, int, str], list[TraceRow]] = {}
        for row in self.rows:
            groups.setdefault((row.outcome.keep, row.outcome.budget, row.outcome.strategy), []).append(row)
        found = [_average(*key, rows) for key, rows in groups.items()]
        return tuple(sorted(found, key=lambda a: (a.keep, a.budget, a.ratio)))


def _average(keep: int, budget: int, strategy: str, rows: Sequence[TraceRow]) -> Average:
    ratios = [row.ratio for row in rows]
    return Average(
        strategy=strategy,
        keep=keep,
        budget=budget,
        traces=len(rows),
        dollars=fmean(row.outcome.dollars for row in rows),
        ratio=fmean(ratios),
        error=_student(len(ratios)) * stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else None,
        worst=max(ratios),
        clearing_ratio=fmean(row.clearing_ratio for row in rows),
        hit_rate=fmean(row.outcome.hit_rate for row in rows),
    )


def _student(count: int) -> float:
    """The 97.5% quantile of Student's t with count - 1 degrees of freedom (expansion of Cornish and Fisher)."""
    z, n = 1.959964, count - 1
    table = {1: 12.706, 2: 4.303, 3: 3.182}
    return table.get(n, z + (z**3 + z) / (4 * n) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n * n))


def compare(
    traces: Iterable[Trace],
    contenders: Sequence[Contender | Strategy],
    terms: Sequence[Terms],
    *,
    mixed: bool = False,
    points: bool = False,
    progress: Callable[[str], None] | None = None,
    executor: Executor | None = None,
) -> Comparison:
    """Run every contender over every trace under each of `terms`.

    `mixed` adds the optimum with mixed lifetimes (requests x window squared); `points` keeps each request
    for charts; `progress` is told each trace's name and terms as they are done, in order. `executor` spreads the
    traces: any of `concurrent.futures`, or one that behaves so (Dask's `client.get_executor()`); the result does not
    depend on it, and a pool of processes needs strategies that can be pickled. Raises UnknownModel where the
    terms' card has no prices, and InvalidOption for an executor that is none, or that a strategy cannot be sent to.
    """
    rivals = [rival if isinstance(rival, Contender) else Contender(strategy=rival) for rival in contenders]
    _check_executor(executor, rivals)
    jobs = [(trace, term) for trace in traces for term in terms]
    replay = partial(_rows, rivals=rivals, mixed=mixed, points=points)
    found: list[list[TraceRow]] = []
    for (trace, term), rows in zip(jobs, (executor.map if executor else map)(replay, jobs), strict=True):
        found.append(rows)
        if progress is not None:
            progress(f"{trace.name} keep={term.keep} budget={term.budget} {term.card.id}")
    return Comparison(tuple(chain.from_iterable(found)))


def _check_executor(executor: Executor | None, rivals: Sequence[Contender]) -> None:
    if executor is not None and not isinstance(executor, Executor):
        raise InvalidOption(
            f"executor={executor!r:.60}: give one of concurrent.futures, or None", option="executor", value=executor
        )
    for rival in rivals if isinstance(executor, ProcessPoolExecutor) else ():
        try:
            pickle.dumps(rival)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InvalidOption(
                f"{rival.label:.60} cannot be sent to other processes ({error}): define its class at the top of a "
                "module, or leave executor= out",
                option="executor",
                value=executor,
            ) from error


def _rows(job: tuple[Trace, Terms], *, rivals: Sequence[Contender], mixed: bool, points: bool) -> list[TraceRow]:
    trace, terms = job
    bounds: dict[str, Any] = {"keep": terms.keep, "budget": terms.budget, "preamble": terms.preamble}
    least = optima(trace, terms.card, **bounds, refetch=terms.refetch)
    both = mixed_optimum(trace, terms.card, **bounds) if mixed else None
    oversized = len(trace.oversized(terms.budget - terms.preamble))
    rows = []
    for rival in rivals:
        given = terms if rival.marks is None else replace(terms, marks=rival.marks)
        outcome = run(trace, rival.strategy, given, label=rival.label, points=points)
        rows.append(TraceRow(outcome=outcome, optima=least, mixed=both, oversized=oversized))
    return rows


# Charts: the size of the window and the dollars so far, by request. Runs need their points.


def html(rows: Sequence[TraceRow], *, title: str = "Replay") -> str:
    """A page of its own: a table and two charts, inline SVG, no script and nothing to load."""
    runs = [row.outcome for row in rows if row.outcome.points]
    charts = [
        _svg("Prompt tokens", {_name(o, runs): [float(p.prompt) for p in o.points] for o in runs}),
        _svg("Dollars so far", {_name(o, runs): [p.dollars for p in o.points] for o in runs}),
    ]
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        "<style>body{font:14px sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}"
        "td,th{padding:2px 10px;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child"
        f"{{text-align:left}}</style><h1>{escape(title)}</h1>{_table(rows)}{''.join(charts)}</html>"
    )


def _name(run: ReplayOutcome, runs: Sequence[ReplayOutcome]) -> str:
    """What a line of a chart is called: its strategy, and its trace and terms where they differ."""
    several = len({(o.trace, o.keep, o.budget, o.model) for o in runs}) > 1
    return f"{run.strategy} on {run.trace}, {run.keep:,}/{run.budget:,}, {run.model}" if several else run.strategy


def _table(rows: Sequence[TraceRow]) -> str:
    heads = (
        "strategy",
        "trace",
        "dollars",
        "ratio",
        "with clearing",
        "hit rate",
        "cuts",
        "mean verbatim",
        "least verbatim",
    )
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(row))}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{cells}</table>"


def _cells(row: TraceRow) -> tuple[str, ...]:
    o = row.outcome
    return (
        o.strategy,
        o.trace,
        f"{o.dollars:.4f}",
        f"{row.ratio:.3f}",
        f"{row.clearing_ratio:.3f}",
        f"{o.hit_rate:.1%}",
        str(o.cuts),
        f"{o.mean_verbatim:,.0f}",
        f"{o.min_verbatim:,}",
    )


def _svg(title: str, series: Mapping[str, Sequence[float]], *, width: int = 960, height: int = 260) -> str:
    if not series:
        return ""
    top = max((max(values) for values in series.values() if values), default=1.0) or 1.0
    longest = max(len(values) for values in series.values())
    lines, names = [], []
    for number, (name, values) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        shown = _thinned(values, width)
        points = " ".join(f"{x * width / max(1, longest - 1):.1f},{height - y / top * height:.1f}" for x, y in shown)
        lines.append(f"<polyline fill='none' stroke='{color}' stroke-width='1.3' points='{points}'/>")
        names.append(f"<span style='color:{color};margin-right:1.5em'>{escape(name)}</span>")
    return (
        f"<h2>{escape(title)}</h2><div>{''.join(names)}</div>"
        f"<svg viewBox='-10 -10 {width + 110} {height + 40}' width='100%' role='img' aria-label='{escape(title)}'>"
        f"<path d='M0 0V{height}H{width}' fill='none' stroke='#999'/><text x='{width + 5}' y='8'>{top:,.6g}</text>"
        f"<text x='{width - 90}' y='{height + 20}'>request {longest}</text>{''.join(lines)}</svg>"
    )


def _thinned(values: Sequence[float], most: int) -> list[tuple[int, float]]:
    """At most `most` points: the peak of each stretch, so that no cut is hidden."""
    step = max(1, math.ceil(len(values) / most))
    starts = range(0, len(values), step)
    return [max(((i, values[i]) for i in range(a, min(a + step, len(values)))), key=lambda p: p[1]) for a in starts]


def _load_comparison_html() -> Any:
    from sash.inspect.html import comparison_html  # noqa: PLC0415 - notebooks alone need it

    return comparison_html


def _load_pyplot() -> Any:
    """The one place that imports matplotlib."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("charts as PNG need matplotlib: pip install 'sash[charts]'", extra="charts") from error
    return plt


def png(rows: Sequence[TraceRow], path: str | Path, *, title: str = "Replay") -> None:
    """Draw the same charts into a PNG file. Raises MissingExtra without matplotlib."""
    plt = _load_pyplot()
    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 7), sharex=True)
    runs = [row.outcome for row in rows]
    for number, row in enumerate(rows):
        look = {"color": COLORS[number % len(COLORS)], "label": _name(row.outcome, runs), "linewidth": 1}
        above.plot([point.prompt for point in row.outcome.points], **look)
        below.plot([point.dollars for point in row.outcome.points], **look)
    above.set_ylabel("prompt tokens")
    below.set_ylabel("dollars so far")
    below.set_xlabel("request")
    above.set_title(title)
    below.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(str(path), dpi=120)
    plt.close(figure)
