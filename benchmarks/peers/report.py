"""The result as Markdown: what was run, the table, and the same conversation by conversation and size by size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from benchmarks.peers.rows import Outcome, Row
from benchmarks.peers.timing import Timing

Shown = TypeVar("Shown")


def text(rows: Sequence[Row], *, command: str, when: str, budget: int, conversations: Sequence[str]) -> str:
    """The whole page. `rows` come in order of cost."""
    lines = [
        "# Peers\n",
        INTRODUCTION.format(command=command, when=when, budget=budget, conversations=", ".join(conversations)),
        *_table(rows, COLUMNS),
        "",
        READINGS,
        "## Each conversation\n",
        *_table([(row, one) for row in rows for one in row.outcomes], OUTCOMES),
        "\n## Times\n",
        *_table([(row, one) for row in rows if row.timings for one in row.timings.sizes], TIMES),
        "\n## What was run\n",
        *_table(rows, SETUPS),
        "",
        *_problems(rows),
    ]
    return "\n".join(lines).rstrip() + "\n"


INTRODUCTION = """\
Other libraries that keep a chatbot's history, run over the same conversations as sash and judged by one judge: each is
told message after message and answers what it would send, and sash's simulator refuses, caches and bills that as the
API does. Written by `{command}` on {when}; a prompt of at most {budget:,} tokens; conversations: {conversations}.
"""
READINGS = """\
- *times the optimum*: dollars of prompts and summaries over those of a planner that knows the future and keeps at least
  a quarter of the budget verbatim, mean over the conversations. A window that keeps less may come below 1.
- *evidence*: the share of what answers the questions that stood in the request; *per dollar*: hundredths of it.
- *refused*: requests that the simulator answers with 400. *Over*: requests above the budget.
- *cold*: store opened and first request made, at this number of turns; *warm*: the next ones; *grows*: the exponent of
  warm over turns (0: not at all, 1: in proportion, 2: as the square). *Append*: a message and its reply kept; for sash
  all of `chat.send` but the answer. *Start*: imports and first use. *Memory*: the process behind that, and what the
  first request adds. *Counted again*: characters that its token counter reads for each exchange.
- Times are milliseconds of processor time of the peer's process, medians. The machine was busy with other work: only
  their ratios mean something.
"""


def _table(rows: Sequence[Shown], columns: Mapping[str, Callable[[Shown], str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(told(row) for told in columns.values())} |"


def _problems(rows: Sequence[Row]) -> Iterator[str]:
    found = [f"- {row.label}: {problem}" for row in rows for problem in row.problems]
    if found:
        yield "## What went wrong\n"
        yield from found


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _last(row: Row, told: Callable[[Timing], str]) -> str:
    return told(row.timings.sizes[-1]) if row.timings and row.timings.sizes else "-"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.{1 if seconds < 1 else 0}f}"


def _counted(row: Row) -> str:
    return _last(row, lambda one: f"{one.tokenised:,.0f}")


COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "": lambda row: f"**{row.label}**" if row.label.startswith("sash") else row.label,
    "times the optimum": lambda row: _number(row.mean(lambda one: one.ratio), ".2f"),
    "evidence": lambda row: _number(row.mean(lambda one: one.evidence), ".0%"),
    "per dollar": lambda row: _number(row.mean(lambda one: one.per_dollar), ".0f"),
    "refused": lambda row: str(row.sum(lambda one: one.refused)),
    "over": lambda row: str(row.sum(lambda one: one.over)),
    "turns": lambda row: _last(row, lambda one: f"{one.turns:,}"),
    "cold ms": lambda row: _last(row, lambda one: _ms(one.cold)),
    "warm ms": lambda row: _last(row, lambda one: _ms(one.warm)),
    "grows": lambda row: _number(row.timings.exponent("warm") if row.timings else None, ".2f"),
    "append ms": lambda row: _last(row, lambda one: _ms(one.append)),
    "start s": lambda row: _last(row, lambda one: f"{one.start:.1f}"),
    "memory MB": lambda row: _last(row, lambda one: f"{one.held:.0f} + {one.grown:.0f}"),
    "counted again": _counted,
}
OUTCOMES: Mapping[str, Callable[[tuple[Row, Outcome]], str]] = {
    "conversation": lambda pair: pair[1].trace,
    "": lambda pair: pair[0].label,
    "dollars": lambda pair: f"{pair[1].dollars:.4f}",
    "times the optimum": lambda pair: f"{pair[1].ratio:.2f}",
    "evidence": lambda pair: _number(pair[1].evidence, ".1%"),
    "read from the cache": lambda pair: f"{pair[1].cached:.0%}",
    "largest prompt": lambda pair: _number(pair[1].largest, ",d") if pair[1].largest is not None else "-",
    "over": lambda pair: str(pair[1].over),
    "refused": lambda pair: f"{pair[1].refused} of {pair[1].requests}",
    "summaries": lambda pair: str(pair[1].summaries),
}
TIMES: Mapping[str, Callable[[tuple[Row, Timing]], str]] = {
    "": lambda pair: pair[0].label,
    "turns": lambda pair: f"{pair[1].turns:,}",
    "cold": lambda pair: _ms(pair[1].cold),
    "warm": lambda pair: _ms(pair[1].warm),
    "append": lambda pair: _ms(pair[1].append),
    "memory added, MB": lambda pair: f"{pair[1].grown:.1f}",
    "counted again": lambda pair: f"{pair[1].tokenised:,.0f}",
}
SETUPS: Mapping[str, Callable[[Row], str]] = {
    "": lambda row: row.label,
    "versions": lambda row: ", ".join(f"{name} {number}" for name, number in row.about.get("versions", {}).items()),
    "how": lambda row: row.about.get("setup", ""),
    "cache markers": lambda row: row.about.get("caching", ""),
}
