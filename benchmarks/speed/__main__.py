"""How fast sash is, as ratios to what the same work costs without it, all measured in one run.

    python -m benchmarks.speed [--views 8000 32000 150000 620000] [--turns 100 10000 100000 1000000] [--json]
        [--concurrent 100 500] [--conversations 1 1000 100000] [--rounds 40] [--only views lists]

A Claude that answers at once stands behind the unmodified SDK. Milliseconds are of CPU (medians; one call that does
not count goes before), so that a busy machine changes little; a ratio is ours through what is beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict

from benchmarks.speed import files, requests, start, throughput
from benchmarks.speed.measuring import Row

HEAD = f"{'what':28} {'at':22} {'ours':>10}  {'unit':8} {'beside':>10}  {'':10} {'ratio':>7}  {'reach':>7}"


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(given)
    groups = _groups(options)
    chosen = options.only or list(groups)
    rows = (row for name in chosen for row in groups[name]())
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=1))
        return
    print(f"$ python -m benchmarks.speed {' '.join(sys.argv[1:] if given is None else given)}".rstrip())
    for line in table(rows):
        print(line, flush=True)


def _options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--views", type=int, nargs="+", default=[8_000, 32_000, 150_000], metavar="TOKENS")
    parser.add_argument("--turns", type=int, nargs="+", default=[100, 1_000, 10_000], metavar="TURNS")
    parser.add_argument("--cold", type=int, default=10_000, metavar="TURNS")
    parser.add_argument("--concurrent", type=int, nargs="+", default=[100], metavar="CONVERSATIONS")
    parser.add_argument("--conversations", type=int, nargs="+", default=[1, 1_000, 10_000])
    parser.add_argument("--idle", type=int, default=1_000, metavar="CONVERSATIONS")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=list(_groups(argparse.Namespace())))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(given)


def _groups(options: argparse.Namespace) -> dict[str, Callable[[], Iterable[Row]]]:
    """The measurements by name."""
    return {
        "views": lambda: requests.views(options.views, options.rounds),
        "trips": requests.trips,
        "history": lambda: requests.history(options.turns, options.rounds),
        "throughput": lambda: throughput.served(options.concurrent),
        "cold": lambda: files.cold(options.cold, options.rounds),
        "size": lambda: files.size(500),
        "lists": lambda: files.lists(options.conversations, options.rounds),
        "imports": start.imports,
        "memory": lambda: start.memory(150_000, options.idle),
    }


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as lines, each as soon as it is measured."""
    yield HEAD
    for row in rows:
        theirs = "" if row.theirs is None else f"{row.theirs:.3f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        line = f"{row.what:28} {row.size:22} {row.ours:>10.3f}  {row.unit:8} {theirs:>10}  {row.beside:10} {ratio:>7}"
        yield f"{line}  {row.goal:>7}".rstrip()


if __name__ == "__main__":
    main()
