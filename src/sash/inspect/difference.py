"""What a request sent otherwise than the one before it, turn by turn, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sash.flows.history.branch import PastRequest
from sash.model.turns import Turn


@dataclass(frozen=True, slots=True)
class Change:
    """One of them."""

    sign: str
    """+ came, - left, ~ is sent otherwise"""
    text: str


def differences(before: PastRequest, now: PastRequest) -> list[Change]:
    """All of them, in the order of the body."""
    return [
        *_preamble(before, now),
        *_summary(before, now),
        *_turns(before.turns, now.turns),
        *_otherwise(before, now),
        *_options(before.request.sent.options, now.request.sent.options),
    ]


def _preamble(before: PastRequest, now: PastRequest) -> Iterator[Change]:
    for what in ("tools", "system"):
        if getattr(before.epoch.preamble, what) != getattr(now.epoch.preamble, what):
            yield Change("~", f"{what} changed")
    if before.request.sent.model != now.request.sent.model:
        yield Change("~", f"the model: {now.request.sent.model} instead of {before.request.sent.model}")


def _summary(before: PastRequest, now: PastRequest) -> Iterator[Change]:
    old, new = before.epoch.summary, now.epoch.summary
    if old is not None and (new is None or new.id != old.id):
        yield Change("-", f"the summary of the turns up to {old.upto}")
    if new is not None and (old is None or new.id != old.id):
        yield Change("+", f"a summary of the turns up to {new.upto}")


def _turns(before: Sequence[Turn], now: Sequence[Turn]) -> Iterator[Change]:
    old, new = {turn.id: turn for turn in before}, {turn.id: turn for turn in now}
    for first, last in _runs(turn.seq for turn in before if turn.id not in new):
        yield Change("-", _named(first, last))
    for first, last in _runs(turn.seq for turn in now if turn.id not in old):
        yield Change("+", _named(first, last))
    for turn in now:
        if turn.id in old and old[turn.id].form != turn.form:
            yield Change("~", f"turn {turn.seq} in a repaired form")


def _otherwise(before: PastRequest, now: PastRequest) -> Iterator[Change]:
    if before.epoch.id == now.epoch.id:
        return
    old, new = {turn.id for turn in before.turns}, now.epoch.thinking_stripped_to
    if new > before.epoch.thinking_stripped_to and any(turn.id in old for turn in now.turns):
        yield Change("~", f"thinking of the turns up to {new} is left out from here on")
    gone = [
        turn.seq
        for turn in now.turns
        if turn.id in old and turn.attachment and before.epoch.shows(turn) and not now.epoch.shows(turn)
    ]
    for first, last in _runs(gone):
        yield Change("-", f"what was quoted in front of {_named(first, last)}")
    cleared = now.epoch.relief.cleared - before.epoch.relief.cleared
    for first, last in _runs(sorted(cleared)):
        yield Change("~", f"tool results of {_named(first, last)} are placeholders")


def _options(before: Any, now: Any) -> Iterator[Change]:
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield Change("~", f"the option {name}" if name in now else f"the option {name} is gone")


def _runs(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Runs of numbers that follow each other."""
    first = last = 0
    for seq in seqs:
        if first and seq != last + 1:
            yield first, last
            first = seq
        first, last = first or seq, seq
    if first:
        yield first, last


def _named(first: int, last: int) -> str:
    return f"turn {first}" if first == last else f"turns {first} to {last}"
