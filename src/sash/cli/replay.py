"""`sash replay`: what would each strategy have cost on recorded traffic, beside the least possible? What is forgotten?

The same as `sash.lab.compare`, on the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from glob import has_magic
from pathlib import Path
from statistics import fmean
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from sash import lab
from sash.cli.common import console, dollars, json_option, namespace, one_line, print_json, progress_bar, say
from sash.cli.move import BRANCHES
from sash.cli.strategy import StrategyType, label, parse_contender
from sash.cli.tables import print_table
from sash.conversation.memory import MODES
from sash.conversation.session import DEFAULT_MODEL
from sash.errors import InvalidImport, InvalidOption
from sash.lab.comparing import BUDGET
from sash.lab.contenders import USUAL
from sash.replay import REFETCH
from sash.stores.urls import is_url

MADE_UP = "synthetic:"
OWN = "own"


@click.command(short_help="What would each strategy have cost, and forgotten?")
@click.argument("traces", nargs=-1, required=True)
@click.option("--id", "conversations", multiple=True, help="Conversations of a database; without it, all of them.")
@click.option("--branches", type=BRANCHES, help="Of recordings with branches: one of them, or each as a trace.")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=StrategyType(parse_contender),
    metavar="STRATEGY",
    help='As its repr shows it, one of your own as "module:Class(args)", or "Recall(tokens=500)"; repeatable.',
)
@click.option(
    "--memory",
    "memories",
    multiple=True,
    type=click.Choice(list(MODES)),
    help="A row for a conversation that remembers so; repeatable. It is lived turn by turn.",
)
@click.option(
    "--questions",
    metavar="FILE",
    help=f'What each still knows: a file of questions and evidence, or "{OWN}" for those that the recordings bring.',
)
@click.option("--most-questions", type=click.IntRange(min=1), help="So many of each conversation, drawn by --seed.")
@click.option("--keep", type=click.IntRange(min=1), help="Tokens always verbatim [default: a quarter of the budget].")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    type=int,
    default=(BUDGET,),
    show_default=True,
    help="The most prompt tokens of a request; repeatable.",
)
@click.option("--preamble", default=0, show_default=True, help="Tokens of tools and system, where sizes alone count.")
@click.option(
    "--model",
    "models",
    multiple=True,
    default=(DEFAULT_MODEL,),
    show_default=True,
    help="Whose prices and tokenizer; repeatable.",
)
@click.option(
    "--refetch",
    default=REFETCH,
    show_default=True,
    help="What fetching a cleared tool result again costs beside its own tokens, in fresh tokens.",
)
@click.option("--mixed", is_flag=True, help="Also the optimum that mixes lifetimes inside a view (slow).")
@click.option("--seed", default=0, show_default=True, help="Of what is drawn: questions, and the 95% intervals.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--html", "page", type=click.Path(dir_okay=False), help="Write table and charts to this page.")
@click.option("--png", "picture", type=click.Path(dir_okay=False), help="The charts as a picture (extra: charts).")
@click.option("--csv", "sheet", type=click.Path(dir_okay=False), help="Write the rows as CSV.")
@json_option
def replay(
    traces: tuple[str, ...], conversations: tuple[str, ...], branches: str | None, strategies: tuple[Any, ...],
    memories: tuple[str, ...], questions: str | None, page: str | None, picture: str | None, sheet: str | None,
    as_json: bool, budgets: tuple[int, ...], models: tuple[str, ...], **settings: Any,
) -> None:  # fmt: skip
    """Replay strategies over TRACES, offline.

    A trace is a database of sash's, whatever `sash import` reads (files, folders, globs, archives), a bare trace (JSON
    lines with gap_s, tokens and exchange), or synthetic:REGIME[:SEED]. With --questions or --memory conversations are
    lived turn by turn on a simulated Claude, else they are billed by their sizes.
    """
    found = [one for name in traces for one in _read(name, conversations, branches)]
    rivals = [*(strategies or (() if memories else USUAL)), *memories]
    rows = len(found) * len(rivals) * len(budgets) * len(models)
    with progress_bar() as progress:
        task = progress.add_task("replaying", total=rows)
        result = lab.compare(
            found,
            rivals,
            models,
            budgets,
            {None: False, OWN: None}.get(questions, questions),
            points=bool(page or picture),
            progress=lambda _: progress.advance(task),
            **{**settings, "jobs": min(settings["jobs"], max(1, rows))},
        )
    _write(result, ", ".join(traces), page=page, picture=picture, sheet=sheet)
    if questions == OWN and not any(row.asked for row in result.rows):
        say(console(stderr=True), "no recording brings questions that it can be asked; --questions FILE asks yours")
    for remark in result.remarks:
        say(console(stderr=True), one_line(remark, 300))
    if as_json:
        print_json(result.records())
    else:
        _show(result, console())


def _write(result: lab.Comparison, title: str, *, page: str | None, picture: str | None, sheet: str | None) -> None:
    if page:
        Path(page).write_text(result.html(title=title), encoding="utf-8")
    if picture:
        result.plot().savefig(picture, dpi=120)
    if sheet:
        result.to_csv(sheet)


def _read(name: str, conversations: Sequence[str], branches: str | None) -> Iterator[Any]:
    if name.startswith(MADE_UP):
        regime, _, seed = name.removeprefix(MADE_UP).partition(":")
        if seed and not seed.isdecimal():
            raise InvalidOption(f"{name}: the seed is {seed!r}; give a whole number", option="traces", value=name)
        yield lab.synthetic(regime, seed=int(seed or 0))
        return
    if not (is_url(name) or Path(name).exists() or has_magic(name)):
        raise InvalidImport(f"{name}: no such file; a trace is a file, or {MADE_UP}REGIME[:SEED]", path=name, line=None)
    yield from lab.stream(name, branches=branches, conversations=conversations, namespace=namespace())


# ---- tables --------------------------------------------------------------------------------------------------


def _show(result: lab.Comparison, out: Console) -> None:
    rows = result.rows
    several = _differing(rows)
    table = Table(Column("trace", max_width=14, no_wrap=True), Column("strategy", overflow="fold"), *several)
    extra = {name: cell for name, cell in EXTRA.items() if any(cell(row) for row in rows)}
    sizes = () if extra or several else SIZES
    for name in ("dollars", "ratio", *extra, "clearing", "hits", "cuts", *sizes):
        table.add_column(name, justify="right")
    for row in rows:
        told = [cell(row) for cell in several.values()]
        table.add_row(row.trace, label(row.strategy), *told, *_cells(row, list(extra.values()), sizes=bool(sizes)))
    print_table(out, table)
    for row in rows:
        if row.error:
            say(out, one_line(f"{label(row.strategy)} failed on {row.trace}: {row.error}", 400), "red")
    if len({row.trace for row in rows}) > 1:
        _show_averages(result, out)
    if any(row.asked for row in rows):
        _show_categories(result, out)
    _explain(result, out)


TERMS: Mapping[str, Callable[[lab.ComparisonRow | lab.Average], str]] = {
    "model": lambda one: one.model,
    "budget": lambda one: f"{one.budget:,}",
}
"""Columns that are there where rows differ in them."""


def _differing(
    rows: Sequence[lab.ComparisonRow | lab.Average],
) -> Mapping[str, Callable[[lab.ComparisonRow | lab.Average], str]]:
    return {name: cell for name, cell in TERMS.items() if len(set(map(cell, rows))) > 1}


EXTRA: Mapping[str, Callable[[lab.ComparisonRow], str]] = {
    "no foresight": lambda row: _number(row.expected_ratio),
    "evidence": lambda row: "" if row.evidence is None else f"{row.evidence:.1%}",
}
"""Columns that are there where something is known."""
SIZES = ("written", "kept", "least")
"""Columns that give way to others: they are in JSON and CSV, too."""


def _cells(row: lab.ComparisonRow, extra: Sequence[Callable[[lab.ComparisonRow], str]], *, sizes: bool) -> list[str]:
    run = row.outcome
    if run is None:
        return ["failed"]
    least = "" if run.min_verbatim is None else f"{run.min_verbatim:,}"
    shares = [_number(row.clearing_ratio), f"{run.hit_rate:.0%}", str(run.cuts)]
    money = [dollars(run.dollars), _number(row.ratio), *(cell(row) for cell in extra)]
    return [*money, *shares, *((f"{run.usage.write:,}", f"{run.mean_verbatim:,.0f}", least) if sizes else ())]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _explain(result: lab.Comparison, out: Console) -> None:
    """What the columns mean, in a line each."""
    keeps = sorted({(row.keep, row.budget) for row in result.rows})
    terms = " or ".join(f"keep={keep:,} and budget={budget:,}" for keep, budget in keeps[:4])
    say(out, f"ratio: dollars over the clairvoyant optimum's, for {terms}{' ...' if len(keeps) > 4 else ''}.")
    _say_clearing(result, out)
    if any(row.expected_ratio for row in result.rows):
        say(
            out,
            "no foresight: over what the best policy expects to pay that knows how likely pauses are, and no more.",
        )
    if any(row.replies is not None for row in result.rows):
        say(out, "Lived turn by turn on a simulated Claude: summaries are in the dollars, replies are not.")


def _say_clearing(result: lab.Comparison, out: Console) -> None:
    """Where the optimum that clears tool results lies, the mean over traces."""
    bounds = list({(row.trace, row.model, row.budget): row.bounds.optima for row in result.rows if row.bounds}.values())
    if not bounds:
        return
    least = fmean(one.least / one.starts for one in bounds)
    most = fmean(one.most / one.starts for one in bounds)
    if least == most == 1:
        say(out, "clearing: no tool results are known that could be cleared, so the same.")
    else:
        where = f"{least:.3f}" if most - least < 0.0005 else f"{least:.3f} to {most:.3f}"
        say(
            out,
            f"clearing: over the least that a policy could pay that clears old tool results, too ({where} of that).",
        )


def _show_averages(result: lab.Comparison, out: Console) -> None:
    averages = result.averages()
    several = _differing(averages)
    table = Table("strategy", *several, "traces", "mean dollars", "mean ratio", "95% over traces", "worst")
    asked = any(one.evidence for one in averages)
    for name in (*(("evidence", "95%") if asked else ()), "clearing", "hits"):
        table.add_column(name, justify="right")
    for one in averages:
        told = [cell(one) for cell in several.values()]
        traces = str(one.traces) if not one.failed else f"{one.traces - one.failed} of {one.traces}"
        table.add_row(label(one.strategy), *told, traces, *_average_cells(one, asked=asked))
    print_table(out, table)


def _average_cells(one: lab.Average, *, asked: bool) -> list[str]:
    if one.dollars is None or one.hit_rate is None:
        return ["failed"]
    ratio = _between(one.ratio, ".3f")
    evidence = _between(one.evidence, ".1%") if asked else ()
    worst, clearing = _number(one.worst), _number(one.clearing_ratio)
    return [dollars(one.dollars.mean), *ratio, worst, *evidence, clearing, f"{one.hit_rate:.0%}"]


def _between(estimate: lab.Estimate | None, form: str) -> tuple[str, str]:
    """A mean and its interval."""
    if estimate is None:
        return "", ""
    low, high = estimate.between or (None, None)
    return f"{estimate.mean:{form}}", "" if low is None else f"{low:{form}} to {high:{form}}"


def _show_categories(result: lab.Comparison, out: Console) -> None:
    """Evidence by category of question, where there are several."""
    averages = [one for one in result.averages() if one.categories]
    names = sorted({name for one in averages for name in one.categories})
    if len(names) < 2:
        return
    table = Table(
        Column("evidence of", no_wrap=True), *(Column(name.replace("_", " "), justify="right") for name in names)
    )
    for one in averages:
        cells = [f"{one.categories[name].mean:.1%}" if name in one.categories else "" for name in names]
        table.add_row(label(one.strategy), *cells)
    print_table(out, table)
