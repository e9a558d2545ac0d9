"""A comparison as charts: numbers for the shared templates (notebooks, pages), and the same as a matplotlib figure.

Three charts: cost against evidence, where something was asked, a point for each contender; the window over time and the
cost so far, for the requests of one trace. matplotlib is loaded on first use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sash.errors import InvalidOption, MissingExtra
from sash.inspect.rendering import dollars, stylesheet, templates, tokens
from sash.lab.averages import Average, Estimate
from sash.lab.rows import ComparisonRow
from sash.replay import Point

COLORS = ("#3a78b8", "#c2703d", "#4b8f63", "#b9527f", "#7a62b3", "#97743f", "#0a6560", "#5f5b53")
Key = tuple[str, str, int]
"""Strategy, model and budget."""
WIDE, HIGH = 400.0, 130.0
"""Of a chart in the page, in its own units."""
MOST = 8
"""Lines of a chart: the cheapest."""
UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLine:
    """One contender's requests: times in seconds since the first, and a value for each."""

    label: str
    color: str
    times: tuple[float, ...]
    values: tuple[float, ...]

    def points(self, most_time: float, most: float) -> str:
        """As SVG has it, in steps, and no more than can be seen: of each stretch the peak, so that no cut is hidden."""
        stretch = max(1, math.ceil(len(self.values) / WIDE))
        starts = range(0, len(self.values), stretch)
        peaks = [max(range(at, min(at + stretch, len(self.values))), key=self.values.__getitem__) for at in starts]
        places = [(self.times[at] / most_time * WIDE, HIGH - self.values[at] / most * HIGH) for at in peaks]
        steps = [corner for (_, y), (x, new) in pairwise(places) for corner in ((x, y), (x, new))]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (*places[:1], *steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChart:
    """Lines over time, and what the axes end at."""

    title: str
    lines: tuple[ChartLine, ...]
    unit: str
    """of the values"""
    written: Callable[[float], str]
    """how a value is told"""

    @property
    def most_time(self) -> float:
        """Seconds."""
        return max((line.times[-1] for line in self.lines), default=0.0) or 1.0

    @property
    def most(self) -> float:
        """The largest value."""
        return max((max(line.values) for line in self.lines), default=0.0) or 1.0

    @property
    def top(self) -> str:
        """The largest value, in words."""
        return self.written(self.most)

    @property
    def end(self) -> str:
        """The time of the last request, in words."""
        return duration(self.most_time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A contender: what it costs, and what it still knows."""

    label: str
    color: str
    dollars: Estimate
    evidence: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class DotChart:
    """Cost against evidence."""

    title: str
    dots: tuple[Dot, ...]

    @property
    def most(self) -> float:
        """Dollars."""
        return 1.08 * max((dot.dollars.between or (0, dot.dollars.mean))[1] for dot in self.dots)


def unit_of_time(seconds: float) -> tuple[int, str]:
    """The unit that suits a time: its seconds, and its name."""
    return next((unit for unit in UNITS if seconds >= 2 * unit[0]), UNITS[-1])


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    size, name = unit_of_time(seconds)
    return f"{seconds / size:,.0f} {name}"


def names(averages: Sequence[Average]) -> dict[Key, str]:
    """What each contender is called: its strategy, with model and budget where these differ."""
    models, budgets = {one.model for one in averages}, {one.budget for one in averages}
    return {
        (one.strategy, one.model, one.budget): ", ".join(
            [
                one.strategy.removesuffix("()"),
                *([one.model] if len(models) > 1 else []),
                *([f"{one.budget:,}"] if len(budgets) > 1 else []),
            ]
        )
        for one in averages
    }


def dot_charts(averages: Sequence[Average]) -> Iterator[DotChart]:
    """Cost against evidence, where something was asked."""
    called = names(averages)
    dots = tuple(
        Dot(
            label=called[one.strategy, one.model, one.budget],
            color=COLORS[at % len(COLORS)],
            dollars=one.dollars,
            evidence=one.evidence,
        )
        for at, one in enumerate(averages)
        if one.dollars is not None and one.evidence is not None
    )
    if dots:
        yield DotChart(title="Evidence held, by dollars for each trace", dots=dots)


def line_charts(
    rows: Sequence[ComparisonRow], averages: Sequence[Average], trace: str | None = None
) -> Iterator[LineChart]:
    """The window over time, and the cost so far. Raises InvalidOption for a trace that is not there."""
    drawn = _drawn(rows, trace)
    if not drawn:
        return
    called, on = names(averages), f" on {drawn[0].trace}" if len({row.trace for row in rows}) > 1 else ""
    prompts = tuple(_line(row, called, lambda point: float(point.prompt)) for row in drawn)
    money = tuple(_line(row, called, lambda point: point.dollars) for row in drawn)
    yield LineChart(
        title=f"Window over time{on}",
        lines=prompts,
        unit="prompt tokens",
        written=lambda most: f"{tokens(most)} tokens",
    )
    yield LineChart(title=f"Cost so far{on}", lines=money, unit="dollars", written=dollars)


def _drawn(rows: Sequence[ComparisonRow], trace: str | None) -> list[ComparisonRow]:
    """The cheapest rows of one trace whose requests are known."""
    known = [row for row in rows if row.outcome and row.outcome.points]
    wanted = trace if trace is not None else known[0].trace if known else None
    found = [row for row in known if row.trace == wanted]
    if trace is not None and not found:
        there = ", ".join(dict.fromkeys(row.trace for row in known)) or "none: compare(..., points=True) keeps them"
        raise InvalidOption(f"trace={trace!r} has no requests to draw; there are {there}", option="trace", value=trace)
    return sorted(found, key=lambda row: row.dollars or 0.0)[:MOST]


def _line(row: ComparisonRow, called: Mapping[Key, str], value: Callable[[Point], float]) -> ChartLine:
    points: Sequence[Point] = row.outcome.points if row.outcome else ()
    key = (row.strategy, row.model, row.budget)
    return ChartLine(
        label=called[key],
        color=COLORS[list(called).index(key) % len(COLORS)],
        times=tuple(point.at for point in points),
        values=tuple(map(value, points)),
    )


# ---- in a notebook and as a page -----------------------------------------------------------------------------


@cache
def _templates() -> Environment:
    return templates()


def piece(rows: Sequence[ComparisonRow], averages: Sequence[Average], remarks: Sequence[str]) -> str:
    """The table and the charts, for a notebook."""
    return _templates().get_template("comparison.html").render(**_shown(rows, averages, remarks))


def page(rows: Sequence[ComparisonRow], averages: Sequence[Average], remarks: Sequence[str], title: str) -> str:
    """The same as a page of its own."""
    return _templates().get_template("comparison_page.html").render(title=title, **_shown(rows, averages, remarks))


def _shown(rows: Sequence[ComparisonRow], averages: Sequence[Average], remarks: Sequence[str]) -> dict[str, Any]:
    dots, lines = list(dot_charts(averages)), list(line_charts(rows, averages))
    drawn: list[Dot | ChartLine] = [one for chart in dots for one in chart.dots]
    drawn += [one for chart in lines for one in chart.lines]
    return {
        "style": Markup(stylesheet()),
        "averages": averages,
        "remarks": remarks,
        "dots": dots,
        "lines": lines,
        "marks": list({one.label: one for one in drawn}.values()),
    }


# ---- as a figure ---------------------------------------------------------------------------------------------


def _load_pyplot() -> Any:
    """The one place that imports matplotlib."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("figures need matplotlib: pip install 'sash[charts]'", extra="charts") from error
    return plt


def figure(rows: Sequence[ComparisonRow], averages: Sequence[Average], trace: str | None) -> Any:
    """The charts side by side, as far as there is something to draw. It is closed: show it, or save it."""
    plt = _load_pyplot()
    scattered, lined = list(dot_charts(averages)), list(line_charts(rows, averages, trace))
    count = len(scattered) + len(lined)
    if not count:
        raise InvalidOption(
            "there is nothing to draw: no questions were asked, and no requests kept (compare(..., points=True))",
            option="points",
            value=None,
        )
    made, axes = plt.subplots(1, count, figsize=(5.2 * count, 4.4), squeeze=False, layout="constrained")
    for axis, dots in zip(axes[0], scattered, strict=False):
        _scatter(axis, dots)
    for axis, lines in zip(axes[0][len(scattered) :], lined, strict=True):
        _draw(axis, lines)
    _legend(made, axes[0])
    plt.close(made)
    return made


def _legend(made: Any, axes: Sequence[Any]) -> None:
    """One for all charts: a contender has the same colour in each."""
    told: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        told |= dict(zip(labels, handles, strict=True))
    made.legend(list(told.values()), list(told), loc="outside lower center", ncols=min(4, len(told)), fontsize="small")


def _scatter(axis: Any, chart: DotChart) -> None:
    for dot in chart.dots:
        reach = [[[mean - low], [high - mean]] for mean, (low, high) in map(_reach, (dot.dollars, dot.evidence))]
        axis.errorbar(
            dot.dollars.mean, dot.evidence.mean, xerr=reach[0], yerr=reach[1],
            fmt="o", color=dot.color, label=dot.label, capsize=2, linewidth=1,
        )  # fmt: skip
    axis.set(title=chart.title, xlabel="dollars", ylabel="share of the evidence", ylim=(-0.03, 1.03), xlim=(0, None))
    axis.grid(alpha=0.3)


def _reach(estimate: Estimate) -> tuple[float, tuple[float, float]]:
    """The mean, and the ends of its interval."""
    return estimate.mean, estimate.between or (estimate.mean, estimate.mean)


def _draw(axis: Any, chart: LineChart) -> None:
    size, name = unit_of_time(chart.most_time)
    for line in chart.lines:
        axis.plot(
            [at / size for at in line.times],
            line.values,
            color=line.color,
            label=line.label,
            linewidth=1,
            drawstyle="steps-post",
        )
    axis.set(title=chart.title, xlabel=f"{name} since the first request", ylabel=chart.unit, ylim=(0, None))
    axis.grid(alpha=0.3)
