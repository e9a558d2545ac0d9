"""What is lost of an agent's work, and what does it cost? `python -m benchmarks.agents DATA [--half held] [--json]`.

Every history of tool runs below DATA (Claude Code transcripts, tau-bench) is said again turn by turn to a conversation
on the simulator, at the recorded times, as `benchmarks.reality` does it. At each request it is asked of each value that
the calls in the recorded reply need (`sash.model.references`: paths, ids, numbers, quoted strings and lines of their
arguments that stand in earlier messages) whether the view that Claude is shown holds it: verbatim; as a handle, a
placeholder beside the call that can be made again, or one that says how to read it; or not at all. `fetches` are the
results that would have to be fetched again for what is not verbatim, one for each request and result.

`starts` are the dollars of all prompts over those of the optimum that moves the start of the view alone; `clearing` the
same with the fetches paid for (`--refetch` fresh tokens and the result's own), over the bound that no policy that
clears results goes below (`sash.replay.optima`). Both optima are those of the histories as they were sent whole. A row
for each strategy; `refused` are requests that the simulator's checks turned away.

Sessions are split by a hash of their names into a half for tuning and a half that is held back (`--half`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.reality import Telling, histories
from sash import ClearedTools, Conversation, Economic, SlidingWindow, SteppedWindow, card
from sash.counting.estimator import Estimator
from sash.errors import SashError
from sash.formats import ImportedConversation
from sash.model.blocks import Block, text_block
from sash.model.references import InView, Need, held, needs
from sash.model.usage import Usage
from sash.planning.situation import Strategy
from sash.planning.strategies import Everything
from sash.replay import REFETCH, Optima, Trace, TraceCall, of_conversation, optima
from sash.replay.traces import in_proportion
from sash.simulator import Simulator

SOURCES = ("transcripts", "tau-bench")
HALVES = ("tuning", "held")
EVERYTHING = "Everything()"
SERVED = "Everything(), cleared by the API"


def contenders(budget: int) -> dict[str, tuple[Strategy, Mapping[str, Any]]]:
    """The rows by name: a strategy, and further options of the conversation."""
    clearing = {
        "type": "clear_tool_uses_20250919",
        "trigger": {"type": "input_tokens", "value": budget // 2},
        "clear_at_least": {"type": "input_tokens", "value": budget // 8},
    }
    served = {"context_management": {"edits": [clearing]}, "betas": ["context-management-2025-06-27"]}
    plain: tuple[Strategy, ...] = (
        Everything(),
        Economic(),
        Economic(clear_results=False),
        SlidingWindow(),
        SteppedWindow(),
        ClearedTools(inner=Economic(clear_results=False)),
    )
    return {**{repr(one): (one, {}) for one in plain}, SERVED: (Everything(), served)}


def half_of(name: str) -> str:
    """The half that a session belongs to, for ever."""
    return HALVES[sha256(name.encode()).digest()[0] % 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """One history under one strategy."""

    usage: tuple[Usage, ...]
    """of each request that was sent"""
    refused: int = 0
    exceeded: int = 0
    over: int = 0
    needs: Mapping[InView, int] = field(default_factory=dict)
    fetched: int = 0
    """results to be fetched again"""
    fetched_tokens: int = 0

    def dollars(self, model: str) -> float:
        """Of all prompts."""
        return sum(card(model).cost(replace(usage, output=0, thinking=0)) for usage in self.usage)


class _Looking(Telling):
    """A telling at the recorded times, which looks at what Claude is shown."""

    def __init__(self, chat: Conversation, simulator: Simulator, history: ImportedConversation) -> None:
        super().__init__(chat, simulator, history)
        self.system: list[Block] = [text_block(str(history.system or ""))]
        self.wanted: dict[int, list[Need]] = {}
        for need in needs((turn.role, turn.content) for turn in history.turns):
            self.wanted.setdefault(need.message, []).append(need)
        self.found: Counter[InView] = Counter()
        self.fetched: set[tuple[int, str]] = set()
        self.began = next((turn.at for turn in history.turns if turn.at is not None), 0.0)
        self.start = simulator.clock.now()

    def before(self, at: int) -> None:
        """Let the pause before this turn go by."""
        said = self.turns[at].at
        if said is not None:
            self.simulator.clock.advance(max(0.0, self.start + said - self.began - self.simulator.clock.now()))

    def seen(self, at: int, body: Mapping[str, Any]) -> None:
        """Look for what the replies to this turn need."""
        view = [self.system, *(_blocks(message["content"]) for message in body["messages"])]
        for message in range(at + 1, at + 1 + len(list(self.replies(at + 1)))):
            for need in self.wanted.get(message, ()):
                kind = held(self._as_sent(need), view)
                self.found[kind] += 1
                results = [place.result for place in need.places if place.result]
                if kind != "verbatim" and results:
                    self.fetched.add((message, results[-1]))

    def _as_sent(self, need: Need) -> Need:
        """The need with the ids that its results have now."""
        now = (replace(place, result=self.ids.get(place.result, place.result)) for place in need.places)
        return replace(need, places=tuple(now))


def _blocks(content: str | Sequence[Block]) -> Sequence[Block]:
    return [text_block(content)] if isinstance(content, str) else content


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every strategy is held to."""

    model: str
    keep: int
    budget: int
    refetch: int


def live(history: ImportedConversation, strategy: Strategy, further: Mapping[str, Any], setting: Setting) -> Lived:
    """Say one history again, and look at every request."""
    simulator = Simulator()
    with (
        simulator.client(max_retries=0) as client,
        Conversation(
            None, id=history.id, model=setting.model, system=history.system or None, tools=history.tools_called or None,
            strategy=strategy, memory="none", keep=setting.keep, budget=setting.budget, max_tokens=16_000,
            client=client, clock=simulator.clock.now, **further,
        ) as chat,
    ):  # fmt: skip
        told = _Looking(chat, simulator, history)
        told.tell()
        sizes = _sizes(history, setting.model)
        sent = [attempt.usage for attempt in simulator.messages if attempt.usage is not None]
        limit = chat.card.window if isinstance(strategy, Everything) else setting.budget
        return Lived(
            usage=tuple(sent), refused=len(simulator.messages) - len(sent), exceeded=told.exceeded,
            over=sum(usage.prompt > limit for usage in sent), needs=told.found, fetched=len(told.fetched),
            fetched_tokens=sum(sizes.get(result, 0) for _, result in told.fetched),
        )  # fmt: skip


def _sizes(history: ImportedConversation, model: str) -> dict[str, int]:
    """Tokens of each result, by the id of its call."""
    estimator = Estimator.for_model(model)
    blocks = (block for turn in history.turns for block in turn.content if block.get("type") == "tool_result")
    return {str(block.get("tool_use_id")): estimator.message("user", [block]).tokens for block in blocks}


def bounds(history: ImportedConversation, whole: Lived, setting: Setting) -> Optima | None:
    """The optima of a history as it was sent whole: its own requests, times and uses, with the simulator's sizes."""
    trace = of_conversation(history)
    prompts = [usage.prompt for usage in whole.usage]
    if len(prompts) != len(trace.calls):
        return None  # a turn without a reply was sent as no request of its own
    first = Estimator.for_model(setting.model).message("user", history.turns[0].content).tokens
    preamble = max(0, prompts[0] - first)
    added = [prompts[0] - preamble, *(max(1, after - before) for before, after in pairwise(prompts))]
    calls = tuple(_resized(call, tokens) for call, tokens in zip(trace.calls, added, strict=True))
    return optima(
        Trace(history.id, calls), card(setting.model), keep=setting.keep, budget=setting.budget, preamble=preamble,
        refetch=setting.refetch,
    )  # fmt: skip


def _resized(call: TraceCall, tokens: int) -> TraceCall:
    """The call with the tokens that it really added."""
    return replace(call, tokens=max(1, tokens), results=in_proportion(call.results, tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A strategy over the sessions of one source and half."""

    source: str
    half: str
    model: str
    strategy: str
    sessions: int
    requests: int
    refused: int
    exceeded: int
    over: int
    needs: int
    verbatim: float | None
    handle: float | None
    missing: float | None
    """shares of the values needed"""
    fetches: int
    dollars: float
    starts: float | None
    """over the optimum that moves the start alone; the mean over sessions"""
    starts_worst: float | None
    clearing: float | None
    """with the fetches paid for, over the bound of the optimum that clears, too; the mean over sessions"""


def rows(source: str, found: Sequence[ImportedConversation], setting: Setting, only: Sequence[str]) -> Iterator[Row]:
    """All strategies over some histories, both halves."""
    rivals = contenders(setting.budget)
    whole = {history.id: live(history, *rivals[EVERYTHING], setting) for history in found}
    least = {history.id: bounds(history, whole[history.id], setting) for history in found}
    for name, (strategy, further) in rivals.items():
        if only and not any(word in name for word in only):
            continue
        lived = whole if name == EVERYTHING else {one.id: live(one, strategy, further, setting) for one in found}
        for half in HALVES:
            here = {id: one for id, one in lived.items() if half_of(id) == half}
            if here:
                yield _row(source, half, name, here, least, setting)


def _row(
    source: str, half: str, strategy: str, lived: Mapping[str, Lived], least: Mapping[str, Optima | None],
    setting: Setting,
) -> Row:  # fmt: skip
    kinds = sum((Counter(one.needs) for one in lived.values()), Counter[InView]())
    dollars = {id: one.dollars(setting.model) for id, one in lived.items()}
    fetching = {id: _fetching(one, setting) for id, one in lived.items()}
    known = {id: best for id in lived if (best := least[id]) is not None}
    ratios = [dollars[id] / best.starts for id, best in known.items()]
    return Row(
        source=source, half=half, model=setting.model, strategy=strategy, sessions=len(lived),
        requests=sum(len(one.usage) for one in lived.values()), refused=sum(one.refused for one in lived.values()),
        exceeded=sum(one.exceeded for one in lived.values()), over=sum(one.over for one in lived.values()),
        needs=kinds.total(), verbatim=_share(kinds, "verbatim"), handle=_share(kinds, "handle"),
        missing=_share(kinds, "missing"), fetches=sum(one.fetched for one in lived.values()),
        dollars=round(sum(dollars.values()), 4), starts=_mean(ratios),
        starts_worst=round(max(ratios), 4) if ratios else None,
        clearing=_mean((dollars[id] + fetching[id]) / best.least for id, best in known.items()),
    )  # fmt: skip


def _fetching(lived: Lived, setting: Setting) -> float:
    """Dollars for what has to be fetched again."""
    return (lived.fetched * setting.refetch + lived.fetched_tokens) * card(setting.model).price(0).fresh / 1e6


def _share(kinds: Counter[InView], kind: InView) -> float | None:
    return round(kinds[kind] / kinds.total(), 4) if kinds else None


def _mean(ratios: Iterable[float]) -> float | None:
    known = list(ratios)
    return round(fmean(known), 4) if known else None


COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "data": lambda row: row.source,
    "half": lambda row: row.half,
    "strategy": lambda row: row.strategy,
    "sessions": lambda row: str(row.sessions),
    "requests": lambda row: f"{row.requests:,}",
    "refused": lambda row: str(row.refused),
    "over": lambda row: str(row.over),
    "needs": lambda row: f"{row.needs:,}",
    "verbatim": lambda row: _told(row.verbatim, ".1%"),
    "handle": lambda row: _told(row.handle, ".1%"),
    "missing": lambda row: _told(row.missing, ".1%"),
    "fetches": lambda row: str(row.fetches),
    "starts (worst)": lambda row: f"{_told(row.starts, '.3f')} ({_told(row.starts_worst, '.2f')})",
    "clearing": lambda row: _told(row.clearing, ".3f"),
}


def _told(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def table(found: Sequence[Row], setting: Setting) -> Table:
    """Rows for people."""
    made = Table(*COLUMNS, title=f"{setting.model}: keep {setting.keep:,}, budget {setting.budget:,}")
    for row, after in zip(found, [*found[1:], None], strict=True):
        last = after is None or (after.source, after.half) != (row.source, row.half)
        made.add_row(*(told(row) for told in COLUMNS.values()), end_section=last)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="a folder with transcripts/*.jsonl and tau_bench/*.json")
    parser.add_argument("--half", choices=(*HALVES, "both"), default="both")
    parser.add_argument("--source", choices=SOURCES, nargs="+", default=list(SOURCES))
    parser.add_argument("--model", default="claude-sonnet-5-5")
    parser.add_argument("--keep", type=int, default=20_000)
    parser.add_argument("--budget", type=int, default=150_000)
    parser.add_argument("--refetch", type=int, default=REFETCH, help="fresh tokens that fetching a result again costs")
    parser.add_argument("--strategy", nargs="+", default=[], metavar="WORD", help="only rows whose name holds a word")
    parser.add_argument("--every", type=int, default=1, help="only each so-manyth history of tau-bench")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    setting = Setting(model=given.model, keep=given.keep, budget=given.budget, refetch=given.refetch)
    found: list[Row] = []
    try:
        for source in given.source:
            told = histories(given.data, source)
            told = told[:: given.every] if source == "tau-bench" else told
            told = [one for one in told if given.half in ("both", half_of(one.id))]
            for row in rows(source, told, setting, given.strategy):
                found.append(row)
                print("  ".join(told(row) for told in COLUMNS.values()), file=sys.stderr, flush=True)
    except SashError as error:
        sys.exit(f"benchmarks.agents: {error}")
    found.sort(key=lambda row: (row.source, row.half))
    if given.json:
        print(json.dumps([asdict(row) for row in found], indent=1))
    else:
        Console(width=200).print(table(found, setting))


if __name__ == "__main__":
    main()
