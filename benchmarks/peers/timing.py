"""How long a peer takes to make a request, from a store that holds so many turns: a process of its own for each size.

Seconds are processor time of the peer's process, so that a busy machine disturbs less; what is read from disk is in the
page cache. They compare within one run, and not with another machine's.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.peers.driving import Driven, Kind, PeerFailed
from benchmarks.peers.peer import Body, Message, Setting
from benchmarks.peers.recordings import SYSTEM, prose

TOKENS = 60
"""of each message"""
PATIENCE = 60.0
"""Seconds that a single step may take; what takes longer is not tried with more turns."""
LIMIT = 10.0
"""Seconds after which no further turn is measured."""
FURTHER = 16
"""Turns that are said behind what was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a store of so many turns takes. Seconds of processor time, medians; megabytes."""

    turns: int
    cold: float
    """new objects, the store opened, the first request made; imports apart"""
    warm: float
    """the next requests"""
    append: float
    """keeping a message and its reply"""
    start: float
    """all imports, and the first use of all, which imports more"""
    held: float
    """memory of the process behind that"""
    grown: float
    """what the first request adds to it, at its peak"""
    tokenised: float
    """characters that its token counter reads for a warm request and what is kept after it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """A peer at all sizes that ended in time."""

    about: dict[str, Any]
    sizes: tuple[Timing, ...]
    stopped: str = ""
    """why there are no more"""

    def exponent(self, name: str) -> float | None:
        """How it grows between the smallest and the largest size: 0 not at all, 1 in proportion, 2 as the square."""
        if len(self.sizes) < 2:
            return None
        few, many = self.sizes[0], self.sizes[-1]
        return math.log(getattr(many, name) / getattr(few, name)) / math.log(many.turns / few.turns)


def timings(kind: Kind, setting: Setting, sizes: Sequence[int], patience: float = PATIENCE) -> Timings:
    """A peer's times from the smallest store to the largest, until one takes too long."""
    found: list[Timing] = []
    about: dict[str, Any] = {}
    for turns in sorted(sizes):
        try:
            with tempfile.TemporaryDirectory() as folder:
                about, timing = _measured(kind, replace(setting, folder=folder), turns, patience)
        except PeerFailed as error:
            return Timings(about=about, sizes=tuple(found), stopped=f"{turns:,} turns: {error}")
        found.append(timing)
    return Timings(about=about, sizes=tuple(found))


def _measured(kind: Kind, setting: Setting, turns: int, patience: float) -> tuple[dict[str, Any], Timing]:
    messages = list(_messages(turns + 2 * FURTHER))
    further = [messages[at : at + 2] for at in range(turns, len(messages), 2)]
    with Driven(kind, _no_model, patience=2 * patience) as loading:
        loading.about()
        loading.open(setting)
        loading.load(messages[:turns])
        loading.close()
    with Driven(kind, _no_model, patience=patience) as measuring:
        about = measuring.about()
        plain = measuring.measure(setting, further, LIMIT)
        measuring.close()
        counted = measuring.measure(replace(setting, tally=True), further, LIMIT)
    return about, Timing(
        turns=turns,
        cold=plain["cold"],
        warm=median(plain["warm"]),
        append=median(plain["append"]),
        start=about["import_s"] + plain["first"],
        held=plain["held"],
        grown=plain["grown"],
        tokenised=counted["tokenised"],
    )


def _messages(count: int) -> Iterator[Message]:
    dice = random.Random(count)
    for number in range(count):
        yield {"role": "assistant" if number % 2 else "user", "content": f"({number}) {prose(dice, TOKENS)}"}


def _no_model(body: Body) -> str:
    raise PeerFailed(f"it asked a model while times were taken ({len(body)} fields)")


def window(budget: int) -> int:
    """Messages of this benchmark that fill nine tenths of a budget, an even number."""
    return int(0.9 * budget / TOKENS) // 2 * 2


def setting_of(budget: int) -> Setting:
    """What a peer is told whose times are taken."""
    return Setting(folder="", budget=budget, keep=budget // 4, messages=window(budget), system=SYSTEM)
