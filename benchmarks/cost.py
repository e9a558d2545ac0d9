"""What does each strategy cost, against the least that any policy could have paid?

    python -m benchmarks.cost [--trace FILE ...] [--keep N --budget N] [--model ID ...] [--json]
    python -m benchmarks.cost --reach [--json]

Without `--trace`: synthetic traffic (seeds from 1000 on, which nothing was tuned on), and below SASH_DATA,
where set, the transcripts (at keep 20,000 and budget 150,000 only) and LoCoMo's session times. `--json`
prints one object per trace, model, strategy, keep and budget. The last rows say where the optimum lies that clears old
tool results, too, a result that is needed being fetched again at `--refetch` fresh tokens beside its own. `--reach`
holds the economic window against the targets: ratio to the optimum by regime, against the best fixed window chosen on
other seeds, and against the best fixed window in hindsight on each trace.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from sash.errors import SashError
from sash.lab import Comparison, ComparisonRow, Contender, compare, read
from sash.planning.situation import Marks, Strategy
from sash.planning.strategies import Economic, Everything, SlidingWindow, SteppedWindow
from sash.replay import NO_MARKS, REFETCH, Optima, Trace, many, regimes

SETTINGS = ((8_000, 32_000), (4_000, 64_000), (20_000, 150_000))
MODELS = ("claude-sonnet-5-5", "claude-sonnet-5", "claude-haiku-5-5")
UNSEEN = 1000
LONG = Marks(preamble="1h", tail="1h")
MARKS = (Marks(), LONG, NO_MARKS)
STATIONARY = ("fast", "chatty", "office")
INSIDE = Economic(inside_tools=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A row of which everything is known."""

    trace: str
    model: str
    strategy: str
    keep: int
    budget: int
    dollars: float
    ratio: float
    broken: int
    optima: Optima


def bills(rows: Iterable[ComparisonRow]) -> list[Bill]:
    """Rows that did not fail. Ends the program where one did."""
    return [_bill(row) for row in rows]


def _bill(row: ComparisonRow) -> Bill:
    if row.outcome is None or row.bounds is None or row.ratio is None:
        sys.exit(f"benchmarks.cost: {row.strategy} on {row.trace}: {row.error}")
    return Bill(
        trace=row.trace, model=row.model, strategy=row.strategy, keep=row.keep, budget=row.budget,
        dollars=row.outcome.dollars, ratio=row.ratio, broken=row.outcome.broken or 0, optima=row.bounds.optima,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print a table or JSON."""
    options = _options(arguments)
    try:
        if options.reach:
            _reach(options)
        else:
            _cost(options)
    except SashError as error:
        sys.exit(f"benchmarks.cost: {error}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__.split("\n")[0])
    parser.add_argument("--trace", nargs="+", metavar="FILE", help="bare traces or conversations instead of the usual")
    parser.add_argument("--keep", type=int, help="tokens kept verbatim (with --budget)")
    parser.add_argument("--budget", type=int, help="the most prompt tokens (with --keep)")
    parser.add_argument("--model", nargs="+", default=list(MODELS), metavar="ID")
    parser.add_argument("--seeds", type=int, default=4, help="synthetic traces per regime")
    parser.add_argument("--exchanges", type=int, default=400, help="length of a synthetic trace")
    parser.add_argument("--refetch", type=int, default=REFETCH, help="fresh tokens that fetching a result again costs")
    parser.add_argument("--mixed", action="store_true", help="also the optimum that mixes lifetimes in a view")
    parser.add_argument("--reach", action="store_true", help="hold the economic window against its targets")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if (options.keep is None) != (options.budget is None):
        parser.error("--keep and --budget go together")
    return options


def _settings(options: argparse.Namespace) -> tuple[tuple[int, int], ...]:
    return ((options.keep, options.budget),) if options.keep is not None else SETTINGS


def contenders(keep: int, budget: int) -> list[Contender]:
    """The strategies of the table: the economic window, and fixed ones with each way of marking."""
    between = (keep + budget) // 2
    fixed: list[Strategy] = [
        SlidingWindow(),
        SteppedWindow(),
        SteppedWindow(high=min(budget, 2 * keep)),
        SteppedWindow(high=between),
    ]
    return [
        Contender(strategy=Economic()),
        Contender(strategy=INSIDE),
        *(Contender(strategy=strategy, marks=marks) for strategy in fixed for marks in MARKS),
        Contender(strategy=Everything(), marks=Marks()),
    ]


def _recorded() -> list[tuple[Trace, tuple[tuple[int, int], ...]]]:
    """Traces below SASH_DATA, each with the settings it is meant for."""
    root = Path(os.environ.get("SASH_DATA", "")) if os.environ.get("SASH_DATA") else None
    if root is None:
        return []
    sessions = sorted((root / "transcripts").glob("*.jsonl"))
    talks = sorted((root / "locomo").glob("*.json"))
    found = [(trace, (SETTINGS[2],)) for path in sessions for trace in read(path).traces()]
    return found + [(trace, SETTINGS) for path in talks for trace in read(path).traces()]


def _traces(options: argparse.Namespace) -> list[tuple[Trace, tuple[tuple[int, int], ...]]]:
    asked = _settings(options)
    if options.trace:
        return [(trace, asked) for path in options.trace for trace in read(path).traces()]
    made = many(regimes(), range(UNSEEN, UNSEEN + options.seeds), exchanges=options.exchanges)
    recorded = [(trace, asked if options.keep is not None else meant) for trace, meant in _recorded()]
    return [(trace, asked) for trace in made] + recorded


def _cost(options: argparse.Namespace) -> None:
    rows: list[ComparisonRow] = []
    traces = _traces(options)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replaying", total=sum(len(meant) for _, meant in traces) * len(options.model))
        for trace, meant in traces:
            for keep, budget in meant:
                found = compare(
                    trace, contenders(keep, budget), options.model, budget, keep=keep, refetch=options.refetch,
                    mixed=options.mixed, points=False,
                )  # fmt: skip
                rows += found.rows
                progress.advance(task, len(options.model))
    if options.json:
        print(Comparison(rows=tuple(rows)).to_json())
    else:
        _print_averages(bills(rows))


def regime_of(trace: str) -> str:
    """The regime of a synthetic trace; "locomo" and "transcripts" for recorded ones."""
    head = trace.split("/")[0]
    if head in regimes():
        return head
    return "locomo" if head.startswith("locomo") else "recorded"


def _print_averages(rows: Sequence[Bill]) -> None:
    for keep, budget in sorted({(row.keep, row.budget) for row in rows}):
        here = [row for row in rows if (row.keep, row.budget) == (keep, budget)]
        groups = list(dict.fromkeys(regime_of(row.trace) for row in here))
        table = Table(title=f"Dollars over the optimum's, mean (worst): keep {keep:,}, budget {budget:,}")
        for column in ("strategy", *groups):
            table.add_column(column, justify="left" if column == "strategy" else "right", no_wrap=True)
        for name in dict.fromkeys(row.strategy for row in here):
            cells = [[r.ratio for r in here if r.strategy == name and regime_of(r.trace) == g] for g in groups]
            table.add_row(name, *(f"{fmean(cell):.3f} ({max(cell):.2f})" if cell else "" for cell in cells))
        table.add_section()
        _add_optima(table, here, groups)
        Console(width=260).print(table)


def _add_optima(table: Table, rows: Sequence[Bill], groups: Sequence[str]) -> None:
    """Where the optimum lies that clears tool results, too: a bound that is proven, and a schedule that exists."""
    bounds = {(row.trace, row.model): row.optima for row in rows}
    for name in ("least", "most"):
        cells = []
        for group in groups:
            here = [optima for (trace, _), optima in bounds.items() if regime_of(trace) == group]
            shares = [getattr(optima, name) / optima.starts for optima in here]
            cells.append(f"{fmean(shares):.3f} ({max(shares):.2f})" if shares else "")
        table.add_row(f"optimum with clearing, at {name}", *cells)


# The reach: is the economic window as good as the targets say, on traffic it has not seen?


def fixed_settings(keep: int, budget: int) -> list[Contender]:
    """Every fixed window that is tried against it: sizes from keep to the budget, each way of marking."""
    sizes = sorted({min(budget, round(keep * factor)) for factor in (1.25, 1.5, 2, 2.5, 3, 4, 6, 9)} | {budget})
    windows: list[Strategy] = [SteppedWindow(high=size) for size in sizes]
    windows += [SlidingWindow(tokens=size) for size in (2 * keep, budget)]
    return [Contender(strategy=window, marks=marks) for window in windows for marks in MARKS]


def _reach(options: argparse.Namespace) -> None:
    found: dict[str, Any] = {"targets": [], "ratios": [], "exceptions": []}
    ratios: list[float] = []
    for keep, budget in _settings(options):
        for regime in regimes():
            ratios += _reach_of(regime, keep, budget, options, found)
        ratios += _reach_recorded(keep, budget, options, found)
    found["median"], found["worst"] = round(median(ratios), 4), round(max(ratios), 4)
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        _print_reach(found)


def _run(
    traces: Sequence[Trace], rivals: Sequence[Strategy | Contender], keep: int, budget: int, options: argparse.Namespace
) -> list[Bill]:
    return bills(compare(traces, rivals, options.model[0], budget, keep=keep, points=False).rows)


def _reach_of(regime: str, keep: int, budget: int, options: argparse.Namespace, found: dict[str, Any]) -> list[float]:
    fixed = fixed_settings(keep, budget)
    unseen = range(UNSEEN, UNSEEN + options.seeds)
    seen = _run(many([regime], range(options.seeds), exchanges=options.exchanges), fixed, keep, budget, options)
    rivals: list[Strategy | Contender] = [Economic(), INSIDE, *fixed]
    rows = _run(many([regime], unseen, exchanges=options.exchanges), rivals, keep, budget, options)
    ours = [row for row in rows if row.strategy == repr(Economic())]
    inside = _mean(rows, repr(INSIDE))
    rows = [row for row in rows if row.strategy != repr(INSIDE)]
    chosen = min(_keeping(seen), key=lambda name: _mean(seen, name))
    found["ratios"].append(
        {
            "regime": regime,
            "keep": keep,
            "budget": budget,
            "mean": round(fmean(row.ratio for row in ours), 4),
            "worst": round(max(row.ratio for row in ours), 4),
            "cutting_inside_tools": round(inside, 4),
            "best_fixed": chosen,
            "best_fixed_mean": round(_mean(rows, chosen), 4),
            "stationary": regime in STATIONARY,
        }
    )
    found["exceptions"] += _exceptions(ours, rows)
    return [row.ratio for row in ours]


def _reach_recorded(keep: int, budget: int, options: argparse.Namespace, found: dict[str, Any]) -> list[float]:
    rivals: list[Strategy | Contender] = [Economic(), INSIDE, *fixed_settings(keep, budget)]
    ratios: list[float] = []
    for trace, meant in _recorded():
        if (keep, budget) not in meant:
            continue
        first, inside, *others = _run([trace], rivals, keep, budget, options)
        rows = [first, *others]
        mean = {"mean": round(first.ratio, 4), "worst": round(first.ratio, 4), "stationary": False}
        mean["cutting_inside_tools"] = round(inside.ratio, 4)
        found["ratios"].append({"regime": trace.name, "keep": keep, "budget": budget, **mean})
        if len(trace.opens) >= 100:
            found["exceptions"] += _exceptions(rows[:1], rows)
        ratios.append(rows[0].ratio)
    return ratios


def _keeping(rows: Iterable[Bill]) -> list[str]:
    """The windows that never held less than keep."""
    broken = {row.strategy for row in rows if row.broken}
    return [name for name in dict.fromkeys(row.strategy for row in rows) if name not in broken]


def _mean(rows: Iterable[Bill], name: str) -> float:
    return fmean(row.ratio for row in rows if row.strategy == name)


def _exceptions(ours: Sequence[Bill], rows: Sequence[Bill]) -> list[dict[str, Any]]:
    """Traces on which some fixed window, chosen in hindsight, costs less than the economic one over 1.05."""
    found = []
    for row in ours:
        same = [r for r in rows if r.trace == row.trace and not r.broken and r is not row]
        best = min(same, key=lambda r: r.dollars)
        if row.dollars > 1.05 * best.dollars:
            over = round(row.dollars / best.dollars, 4)
            setting = {"trace": row.trace, "keep": row.keep, "budget": row.budget}
            found.append({**setting, "over_best_fixed": over, "best_fixed": best.strategy})
    return found


def _print_reach(found: dict[str, Any]) -> None:
    table = Table(title="The economic window over the optimum, and the best fixed window chosen on other seeds")
    for column in ("traffic", "keep", "budget", "mean", "worst", "inside tools", "best fixed", "its mean"):
        table.add_column(column)
    for entry in found["ratios"]:
        cells = [
            entry["regime"],
            entry["keep"],
            entry["budget"],
            entry["mean"],
            entry["worst"],
            entry["cutting_inside_tools"],
        ]
        table.add_row(*map(str, [*cells, entry.get("best_fixed", ""), entry.get("best_fixed_mean", "")]))
    console = Console(width=180)
    console.print(table)
    console.print(f"median {found['median']}, worst {found['worst']}")
    for entry in found["exceptions"]:
        console.print("over 1.05 of the best fixed in hindsight:", entry)


if __name__ == "__main__":
    main()
