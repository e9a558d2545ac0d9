"""How long planning takes as the record grows: `python -m benchmarks.speed [--turns 100 10000 100000] [--json]`.

For each size a conversation of that many turns (about 230 characters each) is recorded; then, in one run:
`plan` on an open conversation (warm), opening the file and planning (cold), and as yardsticks a raw SQLite read
of the same tail and `json.dumps` of the same body. Milliseconds, median and p95; the ratios are what to quote.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sash import Conversation, SteppedWindow
from sash.simulator import Simulator

WORDS = (
    "the quick brown fox jumps over the lazy dog and then some more words follow here to make up a turn of about two "
    "hundred and thirty four characters in all so that it looks like the usual chat message that people send to a bot"
)
BUDGET, KEEP = 10_000, 7_000


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [row for turns in arguments.turns for row in measure(turns, arguments.rounds)]
    print(json.dumps(rows, indent=1) if arguments.json else table(rows))


def measure(turns: int, rounds: int) -> list[dict[str, Any]]:
    """All figures for one size of record."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speed.db"
        record(path, turns)
        with talk(path) as chat:
            chat.send("Hello, where were we?")  # sizes the view once and begins an epoch
            plan = chat.plan("What would the next one cost?")
            figures = {
                "plan, warm": timed(lambda: chat.plan("What would the next one cost?"), rounds),
                "open + plan, cold": timed(lambda: cold(path), max(20, rounds // 4)),
                "raw SQLite read of the view": timed(lambda: raw(path, len(plan.turns)), rounds),
                "json.dumps of the body": timed(lambda: json.dumps(plan.body), rounds),
            }
        return [
            {"turns": turns, "what": what, "median_ms": median, "p95_ms": p95, "messages": len(plan.numbered)}
            for what, (median, p95) in figures.items()
        ]


def talk(path: Path) -> Conversation:
    """The conversation under test."""
    strategy = SteppedWindow(keep=KEEP)
    client = Simulator().client()
    return Conversation(path, id="speed", budget=BUDGET, strategy=strategy, memory="none", client=client)


def record(path: Path, turns: int) -> None:
    """Record `turns` turns as if they had been said elsewhere."""
    with Conversation(path, id="speed") as chat:
        chat.extend({"role": "user" if i % 2 == 0 else "assistant", "content": f"{i} {WORDS}"} for i in range(turns))


def cold(path: Path) -> None:
    """A new object on a closed file."""
    with talk(path) as chat:
        chat.plan("What would the next one cost?")


def raw(path: Path, turns: int) -> None:
    """The floor: the same rows without any library."""
    connection = sqlite3.connect(path)
    connection.execute("SELECT * FROM turns WHERE branch_id = 1 ORDER BY seq DESC LIMIT ?", (turns,)).fetchall()
    connection.close()


def timed(call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Median and p95 in milliseconds, after one call that does not count."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1_000)
    return round(statistics.median(times), 3), round(statistics.quantiles(times, n=20)[-1], 3)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as text."""
    head = f"{'turns':>8}  {'what':28}  {'median ms':>9}  {'p95 ms':>8}  {'messages':>8}"
    lines = [
        f"{r['turns']:>8}  {r['what']:28}  {r['median_ms']:>9.3f}  {r['p95_ms']:>8.3f}  {r['messages']:>8}"
        for r in rows
    ]
    return "\n".join((head, *lines))


if __name__ == "__main__":
    main()
