"""How long does a search in one conversation take, in a file that holds many?

    python -m benchmarks.recall_speed [--turns 1000000] [--conversation 100000] [--queries 60] [--json]

Makes a file of `--turns` turns of made-up chat (words by Zipf's law), one conversation of which has `--conversation`,
and asks it questions of two to five words, rare and common ones. `keyword`, `semantic` and `both` are `chat.recall`,
packing and counting included, once all vectors are made (`first` reads or makes them). `fts5` is what a plain query of
a full-text table costs: all words by OR, the best ten by bm25, of that conversation. Milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from sash import Conversation
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft
from sash.stores import SqliteStore

WORDS = 20_000
PAGE = 5_000
LETTERS = "bdfgklmnprstvz"
VOWELS = "aeiou"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of search. Milliseconds."""

    search: str
    turns: int
    conversation: int
    queries: int
    first: float
    median: float
    p95: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the file, search, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recall_speed", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--conversation", type=int, default=100_000, help="turns of the one that is searched")
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rows = list(measure(Path(folder) / "chats.db", options))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        Console(width=100).print(table(rows))


def measure(path: Path, options: argparse.Namespace) -> Iterator[Row]:
    """The rows, one search after the other."""
    chatter = Chatter(random.Random(7))
    started = time.perf_counter()
    fill(path, chatter, options)
    print(f"{options.turns:,} turns written in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    queries = [chatter.query() for _ in range(options.queries)]
    with Conversation(path, id="searched") as chat:
        searches: dict[str, Callable[[str], object]] = {
            "fts5": _plain(path),
            "keyword": chat.recall,
            "semantic": lambda query: chat.recall(query, words=False, semantic=True),
            "both": lambda query: chat.recall(query, semantic=True),
        }
        for name, search in searches.items():
            times = [_milliseconds(search, query) for query in queries]
            warm = sorted(times[1:])
            yield Row(
                search=name,
                turns=options.turns,
                conversation=options.conversation,
                queries=len(warm),
                first=round(times[0], 1),
                median=round(median(warm), 1),
                p95=round(warm[int(0.95 * len(warm))], 1),
            )


def fill(path: Path, chatter: Chatter, options: argparse.Namespace) -> None:
    """Write the conversations, each of the size of the one that is searched, which lies in their middle."""
    store = SqliteStore(path)
    count = max(1, options.turns // options.conversation)
    for number in range(count):
        name = "searched" if number == count // 2 else f"other {number}"
        with Conversation(store, id=name) as chat:
            key = chat._chat().conversation
        for head in range(0, options.conversation, PAGE):
            size = min(PAGE, options.conversation - head)
            store.turns.append(key, head=head, turns=chatter.turns(size), at=1.7e9 + head)
    store.close()


class Chatter:
    """Made-up chat: sentences of words by Zipf's law."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._words = sorted({self._word() for _ in range(2 * WORDS)})[:WORDS]
        chance.shuffle(self._words)
        self._sums = list(accumulate(1 / (rank + 3) for rank in range(len(self._words))))

    def _word(self) -> str:
        return "".join(
            self._chance.choice(LETTERS) + self._chance.choice(VOWELS) for _ in range(self._chance.randint(2, 4))
        )

    def _said(self, size: int) -> str:
        return " ".join(self._words[bisect(self._sums, self._chance.random() * self._sums[-1])] for _ in range(size))

    def turns(self, count: int) -> tuple[Draft, ...]:
        """Turns of alternating roles, of 5 to 60 words."""
        return tuple(
            Draft(
                role="assistant" if at % 2 else "user",
                content=dumps([text_block(self._said(self._chance.randint(5, 60)))]),
            )
            for at in range(count)
        )

    def query(self) -> str:
        """Two to five words: one of any rarity, the others as people use them."""
        return f"{self._chance.choice(self._words)} {self._said(self._chance.randint(1, 4))}"


def _plain(path: Path) -> Callable[[str], object]:
    """A query of the full-text index as one would write it by hand."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def search(query: str) -> object:
        asked = " OR ".join(f'"{word}"' for word in query.split())
        return db.execute(
            "SELECT t.id FROM turns_fts JOIN turns t ON t.place = turns_fts.rowid JOIN conversations c "
            "ON c.id = t.conversation_id WHERE turns_fts MATCH ? AND c.name = 'searched' "
            "ORDER BY bm25(turns_fts) LIMIT 10",
            (asked,),
        ).fetchall()

    return search


def _milliseconds(search: Callable[[str], object], query: str) -> float:
    started = time.perf_counter()
    search(query)
    return 1_000 * (time.perf_counter() - started)


def table(rows: Sequence[Row]) -> Table:
    """Rows for people."""
    made = Table("search", "turns in file", "in conversation", "first ms", "median ms", "95% ms")
    for row in rows:
        made.add_row(
            row.search, f"{row.turns:,}", f"{row.conversation:,}",
            f"{row.first:,.1f}", f"{row.median:,.1f}", f"{row.p95:,.1f}",
        )  # fmt: skip
    return made


if __name__ == "__main__":
    main()
