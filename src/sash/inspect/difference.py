"""What a request sent otherwise than the one before it, turn by turn, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sash.flows.history.branch import PastRequest
from sash.model.turns import Turn


@dataclass(frozen=True, slots=True)
class RequestChange:
    """One of them."""

    sign: str
    """+ came, - left, ~ is sent otherwise"""
    text: str


def differences(before: PastRequest, now: PastRequest) -> list[RequestChange]:
    """All of them, in the order of the body."""
    return [
        *_preamble(before, now),
        *_summary(before, now),
        *_turns(before.turns, now.turns),
        *_otherwise(before, now),
        *_options(before.request.sent.options, now.request.sent.options),
    ]


def _preamble(before: PastRequest, now: PastRequest) -> Iterator[RequestChange]:
    for what in ("tools", "system"):
        if getattr(before.epoch.preamble, what) != getattr(now.epoch.preamble, what):
            yield RequestChange("~", f"{what} changed")
    if before.request.sent.model != now.request.sent.model:
        yield RequestChange("~", f"the model: {now.request.sent.model} instead of {before.request.sent.model}")


def _summary(before: PastRequest, now: PastRequest) -> Iterator[RequestChange]:
    old, new = before.epoch.summary, now.epoch.summary
    if old is not None and (new is None or new.id != old.id):
        yield RequestChange("-", f"the summary of the turns up to {old.upto}")
    if new is not None and (old is None or new.id != old.id):
        yield RequestChange("+", f"a summary of the turns up to {new.upto}")


def _turns(before: Sequence[Turn], now: Sequence[Turn]) -> Iterator[RequestChange]:
    old, new = {turn.id: turn for turn in before}, {turn.id: turn for turn in now}
    for first, last in _runs(turn.seq for turn in before if turn.id not in new):
        yield RequestChange("-", _named(first, last))
    for first, last in _runs(turn.seq for turn in now if turn.id not in old):
        yield RequestChange("+", _named(first, last))
    for turn in now:
        if turn.id in old and old[turn.id].form != turn.form:
            yield RequestChange("~", f"turn {turn.seq} in a repaired form")


def _otherwise(before: PastRequest, now: PastRequest) -> Iterator[RequestChange]:
    if before.epoch.id == now.epoch.id:
        return
    old, new = {turn.id for turn in before.turns}, now.epoch.thinking_stripped_to
    if new > before.epoch.thinking_stripped_to and any(turn.id in old for turn in now.turns):
        yield RequestChange("~", f"thinking of the turns up to {new} is left out from here on")
    gone = [
        turn.seq
        for turn in now.turns
        if turn.id in old and turn.attachment and before.epoch.shows(turn) and not now.epoch.shows(turn)
    ]
    for first, last in _runs(gone):
        yield RequestChange("-", f"what was quoted in front of {_named(first, last)}")
    cleared = now.epoch.relief.cleared - before.epoch.relief.cleared
    for first, last in _runs(sorted(cleared)):
        yield RequestChange("~", f"tool results of {_named(first, last)} are placeholders")


def _options(before: Any, now: Any) -> Iterator[RequestChange]:
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield RequestChange("~", f"the option {name}" if name in now else f"the option {name} is gone")


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
