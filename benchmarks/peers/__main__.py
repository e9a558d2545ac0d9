"""What do other libraries cost, forget and take, on the same conversations and by the same judge?

    make peers                                              # their environments, then all of this
    python -m benchmarks.peers [--peers NAME ...] [--data PATH ...] [--regimes NAME ...] [--budget 8000]
                               [--sizes 100 1000 10000] [--out FILE]

Each peer runs in a process and an environment of its own (`benchmarks/peers/requirements`, exact versions), is told a
conversation message by message and answers what it would send (`adapters`). The judge (`judging`) sends that to sash's
simulator. Conversations: the one that ships with sash, made-up traffic of `sash.lab.synthetic`, and those of `--data`,
in any format that `sash.lab.read` takes. Rows of sash are those of `sash.lab.compare`. `--sizes` without a number takes
no times. The result is Markdown, by default in benchmarks/results/peers.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import report
from benchmarks.peers.driving import ROOT, Driven, Kind, PeerFailed
from benchmarks.peers.judging import Judge
from benchmarks.peers.kinds import PEERS, SASH, kinds, ours, timed
from benchmarks.peers.peer import Setting
from benchmarks.peers.recordings import check_talk, made_up, shipped
from benchmarks.peers.rows import Outcome, Row, compared, judged
from benchmarks.peers.timing import setting_of, timings
from sash import Economic, SlidingWindow, lab
from sash.errors import SashError
from sash.lab.probing import story
from sash.model.cards import ModelCard, card

RESULT = ROOT / "benchmarks" / "results" / "peers.md"
MODEL = "claude-sonnet-5-5"
KEPT = 4
"""One part of the budget in so many is what the optimum keeps."""
FILLED = 0.9
"""Of the budget, by a window that counts messages, in the mean."""
OURS = {
    SASH: "balanced",
    "sash, memory='lean'": "lean",
    "sash, Economic() alone": Economic(),
    "sash, SlidingWindow()": SlidingWindow(),
}
"""sash's own rows, by label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A conversation, and the dollars of the optimum."""

    recording: lab.Recording
    optimum: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and write the page."""
    options = _options(arguments)
    try:
        recordings = list(_recordings(options))
        chosen = kinds(options.peers or ())
        mine, grounds = _ours(recordings, options.budget)
    except SashError as error:
        sys.exit(f"benchmarks.peers: {error}")
    rows = [mine[0], *(_row(kind, grounds, options) for kind in chosen), *mine[1:]]
    rows[0] = _with_times(rows[0], ours(), options)
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


def _card() -> ModelCard:
    """The model without thinking: peers keep none, and so that nobody pays for it."""
    return replace(card(MODEL), thinking_default=False)


def _ours(recordings: Sequence[lab.Recording], budget: int) -> tuple[list[Row], list[Ground]]:
    """sash's rows, and the optimum of each conversation."""
    found = lab.compare(recordings, list(OURS.values()), _card(), budget, progress=_say)
    each = len(OURS)
    grounds = []
    for at, recording in enumerate(recordings):
        first = found.rows[at * each]
        if first.bounds is None or first.keep != budget // KEPT:
            raise SystemExit(f"benchmarks.peers: {first.trace}: {first.error or f'it keeps {first.keep}'}")
        grounds.append(Ground(recording=recording, optimum=first.bounds.optima.starts))
    rows = [_mine(label, found.rows[at::each], grounds) for at, label in enumerate(OURS)]
    return rows, grounds


def _mine(label: str, found: Sequence[lab.ComparisonRow], grounds: Sequence[Ground]) -> Row:
    pairs = list(zip(found, grounds, strict=True))
    return Row(
        label=label,
        about={"versions": {"sash": version("sash")}, "setup": found[0].strategy, "caching": "its own markers"},
        outcomes=tuple(compared(row, ground.optimum) for row, ground in pairs if row.outcome is not None),
        problems=tuple(f"{row.trace}: {row.error}" for row, _ in pairs if row.error),
    )


def _row(kind: Kind, grounds: Sequence[Ground], options: argparse.Namespace) -> Row:
    """A peer on all conversations; what fails is told, and the others go on."""
    row = Row(label=kind.label)
    for ground in grounds:
        _say(f"{ground.recording.name}: {kind.label}")
        try:
            about, outcome, problem = _lived(kind, ground, options.budget)
        except PeerFailed as error:
            row = replace(row, problems=(*row.problems, f"{ground.recording.name}: {error}"))
            continue
        row = replace(row, about=about, outcomes=(*row.outcomes, outcome), problems=(*row.problems, *problem))
    return _with_times(row, kind, options) if timed(kind) else row


def _lived(kind: Kind, ground: Ground, budget: int) -> tuple[dict[str, object], Outcome, list[str]]:
    known = _card()
    assert ground.recording.conversation is not None
    told = story(ground.recording.name, ground.recording.conversation, 0)
    judge = Judge(told, known, budget)
    mean = ground.recording.trace(known.id).tokens / (2 * len(told.exchanges))
    with tempfile.TemporaryDirectory() as folder, Driven(kind, judge.ask) as peer:
        setting = Setting(
            folder=folder, budget=budget, keep=budget // KEPT, messages=int(FILLED * budget / mean) // 2 * 2,
            system=told.system if isinstance(told.system, str) else "",
        )  # fmt: skip
        about = peer.about()
        found = judge.live(peer, setting)
    problem = [f"{told.id}: {found.refused} refused, first: {found.problem}"] if found.refused else []
    return about, judged(ground.recording.name, found, ground.optimum), problem


def _with_times(row: Row, kind: Kind, options: argparse.Namespace) -> Row:
    """The row with its times, and why there are no more."""
    if not options.sizes:
        return row
    _say(f"{kind.label}: times")
    found = timings(kind, setting_of(options.budget), options.sizes, options.patience)
    return replace(row, timings=found, problems=(*row.problems, *filter(None, [found.stopped])))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
