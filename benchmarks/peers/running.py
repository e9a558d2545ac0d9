"""A peer over all conversations and at all sizes: the work of one process, whichever spawns it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.peers.driving import Driven, Kind, PeerFailed
from benchmarks.peers.judging import Judge, Judgement
from benchmarks.peers.kinds import timed
from benchmarks.peers.peer import Setting
from benchmarks.peers.timing import Timings, setting_of, timings
from sash import lab
from sash.lab.probing import story
from sash.model.cards import ModelCard, card

MODEL = "claude-sonnet-5-5"
KEPT = 4
"""One part of the budget in so many is what the optimum keeps."""
FILLED = 0.9
"""Of the budget, by a window that counts messages, in the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What came of a peer: what it is, how it fared on each conversation by name, and its times."""

    about: dict[str, Any]
    judgements: dict[str, Judgement]
    timings: Timings | None
    problems: tuple[str, ...]


def priced() -> ModelCard:
    """The model without thinking: peers keep none, and so that nobody pays for it."""
    return replace(card(MODEL), thinking_default=False)


def live(kind: Kind, recordings: Sequence[lab.Recording], options: argparse.Namespace) -> Lived:
    """A peer on all conversations; what fails is told, and the others go on."""
    about: dict[str, Any] = {}
    judgements, problems = {}, []
    for recording in recordings:
        say(f"{recording.name}: {kind.label}")
        try:
            about, found = _judged(kind, recording, options.budget)
        except PeerFailed as error:
            problems.append(f"{recording.name}: {error}")
            continue
        judgements[recording.name] = found
        if found.refused:
            problems.append(f"{recording.name}: {found.refused} refused, first: {found.problem}")
    times = take_times(kind, options) if timed(kind) else None
    problems += [times.stopped] if times and times.stopped else []
    return Lived(about=about, judgements=judgements, timings=times, problems=tuple(problems))


def _judged(kind: Kind, recording: lab.Recording, budget: int) -> tuple[dict[str, Any], Judgement]:
    known = priced()
    assert recording.conversation is not None
    told = story(recording.name, recording.conversation, 0)
    judge = Judge(told, known, budget)
    mean = recording.trace(known.id).tokens / (2 * len(told.exchanges))
    with tempfile.TemporaryDirectory() as folder, Driven(kind, judge.ask) as peer:
        setting = Setting(
            folder=folder, budget=budget, keep=budget // KEPT, messages=int(FILLED * budget / mean) // 2 * 2,
            system=told.system if isinstance(told.system, str) else "",
        )  # fmt: skip
        return peer.about(), judge.live(peer, setting)


def take_times(kind: Kind, options: argparse.Namespace) -> Timings | None:
    """Its times, where any are asked for."""
    if not options.sizes:
        return None
    say(f"{kind.label}: times")
    return timings(kind, setting_of(options.budget), options.sizes, options.patience)


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)
