"""What do other libraries cost, forget and take, on the same conversations and by the same judge?

    make peers                                              # their environments, then all of this
    python -m benchmarks.peers [--peers NAME ...] [--data PATH ...] [--regimes NAME ...] [--budget 8000]
                               [--sizes 100 1000 10000] [--jobs 1] [--out FILE]

Each peer runs in a process and an environment of its own (`benchmarks/peers/requirements`, exact versions), is told a
conversation message by message and answers what it would send (`adapters`). The judge (`judging`) sends that to sash's
simulator. Conversations: the one that ships with sash, made-up traffic of `sash.lab.synthetic`, and those of `--data`,
in any format that `sash.lab.read` takes. Rows of sash are those of `sash.lab.compare`. `--sizes` without a number takes
no times. The result is Markdown, by default in benchmarks/results/peers.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks.peers import report
from benchmarks.peers.driving import ROOT, Kind
from benchmarks.peers.kinds import PEERS, SASH, kinds, ours
from benchmarks.peers.recordings import check_talk, made_up, shipped
from benchmarks.peers.rows import Row, compared, judged
from benchmarks.peers.running import KEPT, Lived, live, priced, say, take_times
from benchmarks.peers.timing import Timings
from sash import Economic, SlidingWindow, lab
from sash.errors import SashError
from sash.lab.probing import story

RESULT = ROOT / "benchmarks" / "results" / "peers.md"
OURS = {
    SASH: "balanced",
    "sash, memory='lean'": "lean",
    "sash, Economic() alone": Economic(),
    "sash, SlidingWindow()": SlidingWindow(),
}
"""sash's own rows, by label."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and write the page."""
    options = _options(arguments)
    try:
        recordings = list(_recordings(options))
        chosen = kinds(options.peers or ())
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            under_way = [pool.submit(live, kind, recordings, options) for kind in chosen]
            timing = pool.submit(take_times, ours(), options)
            mine, optima = _ours(recordings, options.budget, pool)
            rows = [_row(kind, one.result(), optima) for kind, one in zip(chosen, under_way, strict=True)]
            mine[0] = _with_times(mine[0], timing.result())
    except SashError as error:
        sys.exit(f"benchmarks.peers: {error}")
    rows += mine
    page = report.text(
        sorted(rows, key=lambda row: row.mean(lambda one: one.ratio) or float("inf")),
        command=" ".join(["python -m benchmarks.peers", *(sys.argv[1:] if arguments is None else arguments)]),
        when=f"{datetime.now(UTC):%d %B %Y}",
        budget=options.budget,
        conversations=[f"{one.name} ({len(one.conversation.turns):,} turns)" for one in recordings if one.conversation],
    )
    options.out.write_text(page, encoding="utf-8")
    print(page)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peers", nargs="*", metavar="NAME", help=f"only these of {', '.join(PEERS)}")
    parser.add_argument("--data", nargs="+", metavar="PATH", help="recordings of talk beside the others")
    parser.add_argument("--regimes", nargs="*", default=["office"], help="of sash.lab.synthetic")
    parser.add_argument("--exchanges", type=int, default=60, help="of each regime")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=int, default=8_000, help="the most prompt tokens of a request")
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1_000, 10_000], help="turns that times are of")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds that one step of those may take")
    parser.add_argument("--jobs", type=int, default=1, help="processes; times are best taken with one")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args(arguments)


def _recordings(options: argparse.Namespace) -> Iterator[lab.Recording]:
    yield shipped()
    for regime in options.regimes:
        yield made_up(regime, options.seed, options.exchanges)
    if options.data:
        found = lab.read(options.data)
        for remark in found.left_out:
            print(remark, file=sys.stderr)
        for one in found:
            if one.conversation is None:
                print(f"{one.name}: it has no words, and is left out", file=sys.stderr)
                continue
            check_talk(story(one.name, one.conversation, 0))
            yield one


def _ours(
    recordings: Sequence[lab.Recording], budget: int, pool: ProcessPoolExecutor
) -> tuple[list[Row], dict[str, float]]:
    """sash's rows, and the dollars of the optimum of each conversation."""
    found = lab.compare(recordings, list(OURS.values()), priced(), budget, executor=pool, progress=say)
    optima = {}
    for first in found.rows[:: len(OURS)]:
        if first.bounds is None or first.keep != budget // KEPT:
            raise SystemExit(f"benchmarks.peers: {first.trace}: {first.error or f'it keeps {first.keep}'}")
        optima[first.trace] = first.bounds.optima.starts
    return [_mine(label, found.rows[at :: len(OURS)], optima) for at, label in enumerate(OURS)], optima


def _mine(label: str, found: Sequence[lab.ComparisonRow], optima: Mapping[str, float]) -> Row:
    return Row(
        label=label,
        about={"versions": {"sash": version("sash")}, "setup": found[0].strategy, "caching": "its own markers"},
        outcomes=tuple(compared(row, optima[row.trace]) for row in found if row.outcome is not None),
        problems=tuple(f"{row.trace}: {row.error}" for row in found if row.error),
    )


def _row(kind: Kind, lived: Lived, optima: Mapping[str, float]) -> Row:
    return Row(
        label=kind.label,
        about=lived.about,
        outcomes=tuple(judged(name, found, optima[name]) for name, found in lived.judgements.items()),
        timings=lived.timings,
        problems=lived.problems,
    )


def _with_times(row: Row, found: Timings | None) -> Row:
    """A row with its times, and why there are no more."""
    stopped = [found.stopped] if found and found.stopped else []
    return replace(row, timings=found, problems=(*row.problems, *stopped))


if __name__ == "__main__":
    main()
