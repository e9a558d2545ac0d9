"""What does a conversation still know, and what does all of it cost?

    python -m benchmarks.memory --data FILE ... [--split held] [--budget 32000] [--settings none balanced]
                                [--store sqlite postgres] [--json]
    python -m benchmarks.memory --stress [--seeds 3] [--split held]
    python -m benchmarks.memory --planted

FILE is a conversation with questions and the ids of the turns that hold their answers (LoCoMo, BEAM); `--stress` makes
conversations whose questions are hard to understand (`benchmarks.stress`). Each conversation is lived turn by turn
through `chat.send` on the simulator, at the data's dates, with the data's replies. Each question is planned once, and
not recorded, at one of seven places in the conversation's last 30%: half of them 45 seconds after the last answer
("warm"), half a day later ("cold").

`evidence` is the share of the evidence that stands as text in the request, the mean over questions: of a turn its key
sentence, the one nearest to question and answer; `between` is a 95% interval, by a bootstrap over conversations and the
questions in them. `misled` are questions for which only what was true before stands there. `dollars` is the simulator's
bill of the whole conversations, replies included and questions not, `times` its ratio to the same conversations without
any recall ("none").

Settings are tuned on the half `--split open`; results are to be shown on `--split held`: conv-30, 42, 44, 47 and 49 of
LoCoMo, chats 4, 5 and 6 of BEAM, and stories of the stress set with other facts and words.
`--conversations` and `--questions` take so many of each by `--seed`. What survives of facts planted in a long
conversation is another question: `--planted`, see `benchmarks.survival`.

`--store` says where the conversations are recorded: what is found is to be the same on either.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import count, product
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from benchmarks import stress, survival
from benchmarks.postgres import Server
from sash import Everything, MemoryStore, SlidingWindow
from sash.errors import SashError
from sash.formats import read
from sash.lab import intervals
from sash.lab.living import Life, QuestionOutcome, Story
from sash.lab.probing import story
from sash.recall import Recall
from sash.stores import Store
from sash.stores.postgres.store import PostgresStore
from sash.types import MemoryMode

HELD = frozenset({"conv-30", "conv-42", "conv-44", "conv-47", "conv-49", "beam-4", "beam-5", "beam-6"})
"""Conversations that nothing was tuned on."""
PLAIN = "none"
SHARE = 16
"""Of the budget, recall may attach this part to a question."""
BOTH = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result: settings on the questions of one category."""

    data: str
    store: str
    budget: int
    settings: str
    category: str
    conversations: int
    questions: int
    evidence: float
    low: float
    high: float
    warm: float | None
    cold: float | None
    misled: float
    tokens: float
    recalled: float
    dollars: float
    times: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What came of some conversations under one setting."""

    asked: tuple[QuestionOutcome, ...]
    dollars: float
    seconds: float


def settings(budget: int) -> Mapping[str, Mapping[str, Any]]:
    """What is compared, by name: the words of `memory=`, and settings that a user would write."""
    share = budget // SHARE
    return {
        **{word: {"memory": word} for word in get_args(MemoryMode)},
        "words": {"recall": Recall(tokens=share, semantic=False)},
        "meaning": {"recall": Recall(tokens=share, semantic=True)},
        "summaries": {"memory": PLAIN, "summarise": True},
        "sliding": {"memory": PLAIN, "strategy": SlidingWindow()},
        "everything": {"memory": PLAIN, "strategy": Everything()},
    }


@contextmanager
def _postgres() -> Iterator[Callable[[], Store]]:
    """What makes stores in schemas of their own, of one server."""
    server, number = Server(), count()
    try:
        yield lambda: PostgresStore(f"{server.url()}&schema=story{next(number)}")
    finally:
        server.stop()


STORES: dict[str, Callable[[], AbstractContextManager[Callable[[], Store]]]] = {
    "sqlite": lambda: nullcontext(MemoryStore),
    "postgres": _postgres,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and print a table or JSON."""
    options = _options(arguments)
    if options.planted:
        survival.run(options)
        return
    try:
        rows = list(measure(stories(options), options))
    except SashError as error:
        sys.exit(f"benchmarks.memory: {error}")
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        Console(width=140).print(table(rows))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", nargs="+", metavar="FILE", help="conversations with questions; filler for --planted")
    parser.add_argument("--stress", action="store_true", help="made-up conversations, their questions hard")
    parser.add_argument("--seeds", type=int, default=1, help="stories of the stress set")
    parser.add_argument("--split", choices=["open", "held", BOTH], default=BOTH)
    parser.add_argument("--budget", type=int, nargs="+", default=[8_000], help="the most prompt tokens of a request")
    parser.add_argument("--settings", nargs="+", choices=list(settings(1 << 10)), default=[PLAIN, "balanced"])
    parser.add_argument("--conversations", type=int, metavar="N", help="only so many of each file")
    parser.add_argument("--questions", type=int, metavar="N", help="only so many of each conversation")
    parser.add_argument("--store", nargs="+", choices=list(STORES), default=["sqlite"])
    parser.add_argument("--by-category", action="store_true", help="a row for each category too")
    parser.add_argument("--json", action="store_true")
    survival.add_options(parser)
    options = parser.parse_args(arguments)
    if not (options.planted or options.data or options.stress):
        parser.error("give --data, --stress or --planted")
    return options


def stories(options: argparse.Namespace) -> list[Story]:
    """The conversations of the split asked for, drawn by the seed."""
    found: list[Story] = []
    for path in options.data or ():
        name = Path(path).stem if Path(path).is_file() else f"{Path(path).parent.name}"
        some = [one for one in read(path) if options.split in (BOTH, "held" if one.id in HELD else "open")]
        if options.conversations:
            some = random.Random(options.seed).sample(some, k=min(options.conversations, len(some)))
        found += [story(name, one, options.seed, options.questions) for one in some]
    if options.stress:
        splits = ["open", "held"] if options.split == BOTH else [options.split]
        found += [stress.story(split, seed) for split in splits for seed in range(1, options.seeds + 1)]
    return found


def measure(found: Sequence[Story], options: argparse.Namespace) -> Iterator[Row]:
    """The rows, data by data, budget by budget."""
    for data in dict.fromkeys(one.data for one in found):
        some = [one for one in found if one.data == data]
        for store, budget in product(options.store, options.budget):
            with STORES[store]() as made:
                plain = live(some if PLAIN in options.settings else _unasked(some), budget, PLAIN, made)
                for name in options.settings:
                    lived = plain if name == PLAIN else live(some, budget, name, made)
                    yield from rows((data, store), budget, name, lived, plain.dollars, options)


def _unasked(found: Iterable[Story]) -> list[Story]:
    return [replace(one, probes=()) for one in found]


def live(found: Iterable[Story], budget: int, name: str, made: Callable[[], Store] = MemoryStore) -> Lived:
    """All of these conversations under one setting, each in a store that is made for it."""
    asked: list[QuestionOutcome] = []
    dollars, started = 0.0, time.perf_counter()
    for one in found:
        print(f"{one.id}, {budget:,}, {name} ...", file=sys.stderr)
        with Life(one, budget, settings(budget)[name], made()) as life:
            asked += life.live()
            dollars += life.dollars
    return Lived(asked=tuple(asked), dollars=dollars, seconds=time.perf_counter() - started)


def rows(
    where: tuple[str, str], budget: int, name: str, lived: Lived, plain: float, options: argparse.Namespace
) -> Iterator[Row]:
    """A row for all questions of some data in a store, behind one for each category where they are asked for."""
    data, store = where
    groups: defaultdict[str, list[QuestionOutcome]] = defaultdict(list)
    for one in lived.asked if options.by_category else ():
        groups[one.category].append(one)
    for category, asked in (*sorted(groups.items()), (BOTH, list(lived.asked))):
        if asked:
            low, high = interval(asked, options.seed)
            yield Row(
                data=data, store=store, budget=budget, settings=name, category=category,
                conversations=len({one.conversation for one in asked}), questions=len(asked),
                evidence=round(fmean(one.share for one in asked), 4), low=low, high=high,
                warm=_mean(one.share for one in asked if one.warm),
                cold=_mean(one.share for one in asked if not one.warm),
                misled=round(fmean(one.misled for one in asked), 4),
                tokens=round(fmean(one.tokens for one in asked), 1),
                recalled=round(fmean(one.recalled for one in asked), 1),
                dollars=round(lived.dollars, 6), times=round(lived.dollars / plain, 4),
                seconds=round(lived.seconds, 1),
            )  # fmt: skip


def interval(asked: Sequence[QuestionOutcome], seed: int) -> tuple[float, float]:
    """Where 95% of the means lie, of conversations drawn again and questions within each (`sash.lab.interval`)."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for one in asked:
        groups[one.conversation].append(one.share)
    low, high = intervals.interval(list(groups.values()), seed) or (asked[0].share, asked[0].share)
    return round(low, 4), round(high, 4)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return round(fmean(known), 4) if known else None


COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "data": lambda row: row.data,
    "store": lambda row: row.store,
    "budget": lambda row: f"{row.budget:,}",
    "settings": lambda row: row.settings,
    "category": lambda row: row.category,
    "of": lambda row: f"{row.questions} in {row.conversations}",
    "evidence": lambda row: f"{row.evidence:.1%}",
    "between": lambda row: f"{row.low:.0%}-{row.high:.0%}",
    "warm": lambda row: "" if row.warm is None else f"{row.warm:.1%}",
    "cold": lambda row: "" if row.cold is None else f"{row.cold:.1%}",
    "misled": lambda row: f"{row.misled:.1%}",
    "recalled": lambda row: f"{row.recalled:,.0f}",
    "dollars": lambda row: f"{row.dollars:.3f}",
    "times": lambda row: f"{row.times:.2f}",
}


def table(found: Sequence[Row]) -> Table:
    """Rows for people."""
    made = Table(*COLUMNS)
    for row, after in zip(found, [*found[1:], None], strict=True):
        last = after is None or (after.data, after.store, after.budget) != (row.data, row.store, row.budget)
        last = last or (row.category == BOTH and after is not None and after.category != BOTH)
        made.add_row(*(told(row) for told in COLUMNS.values()), end_section=last)
    return made


if __name__ == "__main__":
    main()
