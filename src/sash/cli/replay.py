"""`sash replay`: what would each strategy have cost on recorded traffic, beside the least possible?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from glob import has_magic
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

import click
from rich.console import Console
from rich.table import Column, Table

from sash import lab
from sash import replay as replays
from sash.cli.common import console, dollars, json_option, namespace, one_line, print_json, progress_bar, say
from sash.cli.move import BRANCHES
from sash.cli.strategy import StrategyType, label
from sash.cli.tables import print_table
from sash.conversation.session import DEFAULT_MODEL
from sash.errors import InvalidImport
from sash.model.cards import card
from sash.planning.situation import Strategy
from sash.planning.strategies import Economic, Everything, SlidingWindow, SteppedWindow
from sash.replay import Comparison, Terms, Trace
from sash.stores.urls import is_url

MADE_UP = "synthetic:"


@click.command()
@click.argument("traces", nargs=-1, required=True)
@click.option("--id", "conversations", multiple=True, help="Conversations of a database; without it, all of them.")
@click.option("--branches", type=BRANCHES, help="Of recordings with branches: one of them, or each as a trace.")
@click.option("--strategy", "strategies", multiple=True, type=StrategyType(), help="As its repr shows it; repeatable.")
@click.option("--keep", default=8_000, show_default=True, help="Tokens that always stay verbatim.")
@click.option("--budget", default=32_000, show_default=True, help="The most prompt tokens of a request.")
@click.option("--preamble", default=0, show_default=True, help="Tokens of tools and system.")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="Whose prices and tokenizer.")
@click.option(
    "--refetch",
    default=replays.REFETCH,
    show_default=True,
    help="What fetching a cleared tool result again costs beside its own tokens, in fresh tokens.",
)
@click.option("--mixed", is_flag=True, help="Also the optimum that mixes lifetimes inside a view (slow).")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Processes, for many traces.")
@click.option("--html", "page", type=click.Path(dir_okay=False), help="Write charts of window and cost to this page.")
@click.option("--png", "picture", type=click.Path(dir_okay=False), help="The same as a picture (extra: charts).")
@json_option
def replay(
    traces: tuple[str, ...],
    conversations: tuple[str, ...],
    branches: str | None,
    strategies: tuple[Strategy, ...],
    keep: int,
    budget: int,
    preamble: int,
    model: str,
    refetch: int,
    mixed: bool,
    jobs: int,
    page: str | None,
    picture: str | None,
    as_json: bool,
) -> None:
    """Replay strategies over TRACES, offline.

    A trace is a database of sash's, whatever `sash import` reads (files, folders, globs, archives), a bare trace (JSON
    lines with gap_s, tokens and exchange), or synthetic:REGIME[:SEED].
    """
    found = [trace for name in traces for trace in _read(name, conversations, model, branches)]
    terms = Terms(card=card(model), keep=keep, budget=budget, preamble=preamble, refetch=refetch)
    rivals = strategies or (Economic(), SteppedWindow(), SlidingWindow(), Everything())
    with progress_bar() as progress, _executor(jobs, len(found)) as executor:
        task = progress.add_task("replaying", total=len(found))
        result = replays.compare(
            found,
            rivals,
            [terms],
            mixed=mixed,
            points=bool(page or picture),
            progress=lambda _: progress.advance(task),
            executor=executor,
        )
    _draw(result, ", ".join(traces), page=page, picture=picture)
    if as_json:
        print_json([row.as_json() for row in result.rows])
    else:
        _show(result, console())


def _draw(result: Comparison, title: str, *, page: str | None, picture: str | None) -> None:
    if page:
        Path(page).write_text(replays.html(result.rows, title=title), encoding="utf-8")
    if picture:
        replays.png(result.rows, picture, title=title)


def _executor(jobs: int, traces: int) -> AbstractContextManager[Executor | None]:
    """As many processes as were asked for and have something to do; none beside this one for a single job."""
    workers = min(jobs, traces)
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else nullcontext()


def _read(name: str, conversations: Sequence[str], model: str, branches: str | None) -> Iterator[Trace]:
    if name.startswith(MADE_UP):
        regime, _, seed = name.removeprefix(MADE_UP).partition(":")
        yield replays.synthetic(regime, int(seed) if seed.isdigit() else 0)
        return
    if not (is_url(name) or Path(name).exists() or has_magic(name)):
        raise InvalidImport(f"{name}: no such file; a trace is a file, or {MADE_UP}REGIME[:SEED]", path=name, line=None)
    for one in lab.stream(name, branches=branches, conversations=conversations, namespace=namespace()):
        if isinstance(one, lab.LeftOut):
            say(console(stderr=True), one_line(str(one), 300))
        else:
            yield one.trace(model)


def _show(result: Comparison, out: Console) -> None:
    table = Table(Column("trace", max_width=14, no_wrap=True), Column("strategy", no_wrap=True), "dollars", "ratio")
    for name in ("clearing", "hits", "cuts", "fresh", "read", "written", "kept", "least"):
        table.add_column(name, justify="right")
    for row in result.rows:
        run = row.outcome
        table.add_row(
            run.trace,
            label(run.strategy),
            dollars(run.dollars),
            f"{row.ratio:.3f}",
            f"{row.clearing_ratio:.3f}",
            f"{run.hit_rate:.0%}",
            str(run.cuts),
            f"{run.usage.fresh:,}",
            f"{run.usage.read:,}",
            f"{run.usage.write:,}",
            f"{run.mean_verbatim:,.0f}",
            f"{run.min_verbatim:,}",
        )
    print_table(out, table)
    if len({row.outcome.trace for row in result.rows}) > 1:
        _show_averages(result, out)
    first = result.rows[0].outcome
    say(out, f"ratio: dollars over the clairvoyant optimum's, for keep={first.keep:,} and budget={first.budget:,}.")
    _say_clearing(result, out)


def _say_clearing(result: Comparison, out: Console) -> None:
    """Where the optimum that clears tool results lies, the mean over traces."""
    bounds = list({row.outcome.trace: row.optima for row in result.rows}.values())
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


def _show_averages(result: Comparison, out: Console) -> None:
    table = Table("strategy", "traces", "mean dollars", "mean ratio", "95% over traces", "worst", "clearing", "hits")
    for average in result.averages():
        spread = "" if average.error is None else f"± {average.error:.3f}"
        table.add_row(
            label(average.strategy),
            str(average.traces),
            dollars(average.dollars),
            f"{average.ratio:.3f}",
            spread,
            f"{average.worst:.3f}",
            f"{average.clearing_ratio:.3f}",
            f"{average.hit_rate:.0%}",
        )
    print_table(out, table)
