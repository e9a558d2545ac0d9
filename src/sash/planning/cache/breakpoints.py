"""Where the cache markers of a request stand: at most four, the longer lifetime first.

Slots by priority: new tail; the previous written tail that is still in the view (a marker on it reads
it however many blocks were added since, where the server's lookback of 20 blocks would miss it);
preamble; epoch base where its lifetime is longer than the tail's. Where only some turns change, the last turn of the
user before them takes the place of the previous tail: an earlier request wrote up to there. So does the last of the
turns that change, for those that change next begin behind it. Never on thinking or empty blocks, nothing below the
model's cacheable minimum ("Prompt caching" docs). Sizes are tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from sash.model.cards import ModelCard, Ttl
from sash.model.epochs import Epoch, Marker, Place
from sash.planning.rules import markable
from sash.planning.situation import Marks
from sash.planning.view import Message

MOST = 4
STABLE = "stable part"
"""The role of a marker on the part of the preamble that stays, where what lies behind it changes."""
UNCHANGED = "unchanged part"
"""The role of a marker on the messages that stay as they were, where results behind them give way."""
CLEARED = "cleared part"
"""The role of a marker on the last of the results that give way: what is written there is read when more do."""


class Room(NamedTuple):
    """What is free: slots not taken by hand, and the sizes that markers must not undercut."""

    slots: int
    preamble: int
    prompt: int


def place(
    epoch: Epoch,
    numbered: Sequence[tuple[int, Message]],
    *,
    marks: Marks,
    previous: Marker | None,
    card: ModelCard,
    room: Room,
    stable: tuple[Place, int] | None = None,
    changed_from: int = 0,
    cleared_to: int = 0,
) -> tuple[Marker, ...]:
    """Choose the markers, in the order in which they stand in the request.

    `stable`: the last block of the preamble that stays, where the rest changes; `room.preamble` is the size up to it.
    `changed_from`: seq of the first turn that is sent otherwise than before, where what stands before it is cached.
    `cleared_to`: seq of the last turn whose results give way with this request, while what stands behind them stays.
    """
    big_enough = room.prompt >= card.cache_minimum
    tail = _tail(numbered, marks.tail) if marks.tail and big_enough else None
    wanted = [
        tail,
        _still_there(numbered, previous, marks.tail) if big_enough else None,
        _unchanged(numbered, changed_from, marks.tail) if changed_from and big_enough else None,
        _preamble(epoch, marks.preamble, stable) if marks.preamble and room.preamble >= card.cache_minimum else None,
        _base(epoch, numbered, marks) if big_enough else None,
        _cleared(numbered, cleared_to, marks.tail) if cleared_to and marks.tail and big_enough else None,
    ]
    chosen: list[Marker] = []
    for marker in wanted:
        if marker is not None and len(chosen) < room.slots and not _same_place(marker, chosen):
            chosen.append(marker)
    return _longest_first(_in_order(chosen, numbered))


def _tail(numbered: Sequence[tuple[int, Message]], ttl: Ttl | None) -> Marker | None:
    seq, sent = numbered[-1]
    return _on(seq, sent, ttl or "5m", "new tail")


def _on(seq: int, sent: Message, ttl: Ttl, role: str) -> Marker | None:
    for index in range(len(sent["content"]) - 1, -1, -1):
        if markable(sent["content"][index]):
            return Marker(place="turn", seq=seq, block=index, ttl=ttl, role=role)
    return None


def _still_there(numbered: Sequence[tuple[int, Message]], previous: Marker | None, tail: Ttl | None) -> Marker | None:
    """The tail written last, if its very block is still sent."""
    if previous is None:
        return None
    for seq, sent in reversed(numbered):
        if seq == previous.seq:
            there = previous.block < len(sent["content"]) and markable(sent["content"][previous.block])
            ttl = tail or previous.ttl
            return Marker(place="turn", seq=seq, block=previous.block, ttl=ttl, role="previous tail") if there else None
    return None


def _unchanged(numbered: Sequence[tuple[int, Message]], before: int, ttl: Ttl | None) -> Marker | None:
    """The end of an earlier request, the last one that is still as it was."""
    for seq, sent in reversed(numbered):
        if 0 < seq < before and sent["role"] == "user":
            return _on(seq, sent, ttl or "5m", UNCHANGED)
    return None


def _cleared(numbered: Sequence[tuple[int, Message]], last: int, ttl: Ttl) -> Marker | None:
    """The last of the results that give way."""
    return next((_on(seq, sent, ttl, CLEARED) for seq, sent in reversed(numbered) if seq == last), None)


def _preamble(epoch: Epoch, ttl: Ttl, stable: tuple[Place, int] | None) -> Marker | None:
    if stable is not None:
        return Marker(place=stable[0], block=stable[1], ttl=ttl, role=STABLE)
    for place, blocks in (("system", epoch.preamble.system_blocks), ("tools", epoch.preamble.tool_list)):
        for index in range(len(blocks) - 1, -1, -1):
            if not blocks[index].get("defer_loading") and "cache_control" not in blocks[index]:
                return Marker(place=place, block=index, ttl=ttl, role="preamble")  # type: ignore[arg-type]
    return None


def _base(epoch: Epoch, numbered: Sequence[tuple[int, Message]], marks: Marks) -> Marker | None:
    """The end of what was kept at the cut, where it is to live longer than the tail."""
    if marks.kept_marker is None or marks.kept_marker == marks.tail:
        return None
    kept = list(takewhile(lambda one: one[0] <= epoch.thinking_stripped_to, numbered))
    return _on(*kept[-1], marks.kept_marker, "base") if kept else None


def _same_place(marker: Marker, others: Sequence[Marker]) -> bool:
    return any((m.place, m.seq, m.block) == (marker.place, marker.seq, marker.block) for m in others)


def _in_order(markers: Sequence[Marker], numbered: Sequence[tuple[int, Message]]) -> list[Marker]:
    """Render order: tools, system, then messages as they stand (pins come before younger turns)."""
    levels = {"tools": 0, "system": 1, "turn": 2}
    return sorted(markers, key=lambda m: (levels[m.place], _position(m, numbered), m.block))


def _position(marker: Marker, numbered: Sequence[tuple[int, Message]]) -> int:
    """Which message it stands in; the newest are looked at first, for there most markers stand."""
    for at in range(len(numbered) - 1, -1, -1) if marker.place == "turn" else ():
        if numbered[at][0] == marker.seq:
            return at
    return -1


def _longest_first(markers: Sequence[Marker]) -> tuple[Marker, ...]:
    """Lengthen earlier markers where a later one is longer: 1 h must come before 5 min."""
    longest: Ttl = "5m"
    raised: list[Marker] = []
    for marker in reversed(markers):
        longest = "1h" if "1h" in (longest, marker.ttl) else "5m"
        raised.append(marker if marker.ttl == longest else replace(marker, ttl=longest))
    return tuple(reversed(raised))
