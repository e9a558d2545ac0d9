"""What the record knows of a client's list of messages, and what of it is new. Pure.

Clients send what is new, or all they hold. The longest end of the record with which a list begins is what it has in
common with it; the rest is new. Lists are held against the record block by block, so that it does not matter how blocks
are spread over messages of one speaker. Left out on both sides is what clients may drop or move: thinking, white space,
cache markers, empty fields, the order of keys. A reply that was cut short agrees with any beginning of it, or none.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sash.model.blocks import well_formed
from sash.model.turns import Turn

Messages = Sequence[Mapping[str, Any]]
Lists = Literal["auto", "all", "new"]
"""What a client's lists hold: all that was said, what is new, or whichever a list shows by itself."""
PASSING = ("thinking", "redacted_thinking")
"""Blocks that clients may leave out."""
ESSENCE = {
    "tool_use": ("type", "id", "name", "input"),
    "tool_result": ("type", "tool_use_id", "content", "is_error"),
}
"""What clients keep of a block whatever else it came with (`caller`)."""
MARKER = "cache_control"
UNSETTLED = 8
"""Newest turns whose state may still change: a reply of a paused server that is given up, a question withdrawn."""


@dataclass(frozen=True, slots=True)
class SaidBlock:
    """One block as it is held against others."""

    role: str
    mark: str
    """what it says, in one form"""
    place: tuple[int, int]
    """in which message or turn, and which block of it"""
    cut: bool = False
    """of a reply that was cut short"""

    def same(self, other: SaidBlock) -> bool:
        """Whether another says the same. `self` is the record's."""
        if self.role != other.role:
            return False
        return self.mark == other.mark or (self.cut and _begins(self.mark, other.mark))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What is new: the list from here on. `withdraws`: the list lacks the questions at the record's end."""

    place: tuple[int, int]
    withdraws: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Where a list and the record part."""

    message: int
    """index of the list's first message that the record says otherwise; its length where the record only goes on"""
    question: str
    """names the list up to its last question there: the same list has the same name"""
    asked: tuple[int, int]
    """where in the list that question begins"""
    turn: int | None
    """id of the last turn before that question; None: they have nothing in common"""
    behind: bool = False
    """whether the record only goes on where the list ends"""


@dataclass(frozen=True, slots=True)
class SaidRecord:
    """What a conversation's record holds, as lists are held against it."""

    turns: Sequence[Turn] = ()
    """those of user and assistant that are in force, oldest first"""
    blocks: Sequence[SaidBlock] = ()
    """what they were recorded with, whatever is sent of it"""

    def settled(self) -> SaidRecord:
        """Without the newest turns, and all from the first that waits for a reply: the state of these may change."""
        waiting = next((at for at, turn in enumerate(self.turns) if turn.state == "pending"), len(self.turns))
        upto = max(0, min(waiting, len(self.turns) - UNSETTLED))
        end = bisect_left(self.blocks, upto, key=lambda block: block.place[0])
        return SaidRecord(self.turns[:upto], self.blocks[:end])

    def grown(self, turns: Sequence[Turn]) -> SaidRecord:
        """With the turns that follow."""
        return SaidRecord((*self.turns, *turns), (*self.blocks, *_recorded(turns, len(self.turns))))


def held_against(said: SaidRecord, messages: Messages, lists: Lists = "auto") -> Unknown | Contradiction:
    """What is new of `messages`."""
    record = said.turns
    if lists == "new" or not record:
        return Unknown(place=(0, 0))
    ours, theirs = said.blocks, _pieces(messages)
    waits = _waiting(ours, record)
    keeps = lists == "all" or any(piece.role == "assistant" for piece in theirs)
    for known, withdraws in ((ours, False), (ours[:waits], True)):
        at = _overlap(known, theirs, waits) if known or keeps else None
        if at is not None:
            place = theirs[at].place if at < len(theirs) else (len(messages), 0)
            return Unknown(place=place, withdraws=withdraws)
    return _contradiction(record, ours, theirs, len(messages)) if keeps else Unknown(place=(0, 0))


def rest(messages: Messages, place: tuple[int, int]) -> list[dict[str, Any]]:
    """The messages from a place on."""
    index, block = place
    left = [dict(message) for message in messages[index:]]
    if block:
        left[0]["content"] = well_formed(left[0]["content"])[block:]
    return left


def unmarked(blocks: Any) -> Any:
    """Content, a system prompt or tools without the cache markers of whoever made them."""
    if not isinstance(blocks, list):
        return blocks
    return [_unmarked(block) if isinstance(block, Mapping) else block for block in blocks]


def _unmarked(block: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in block.items() if name != MARKER}
    if block.get("type") == "tool_result" and "content" in found:
        found["content"] = unmarked(found["content"])
    return found


def _pieces(messages: Messages) -> list[SaidBlock]:
    spoken = ((number, message) for number, message in enumerate(messages) if message["role"] != "system")
    return [
        piece
        for number, message in spoken
        for piece in _of_blocks(str(message["role"]), well_formed(message["content"]), number)
    ]


def _recorded(turns: Sequence[Turn], first: int) -> Iterator[SaidBlock]:
    for number, turn in enumerate(turns, first):
        yield from _of_blocks(turn.role, turn.recorded, number, cut=turn.state == "interrupted")


def _of_blocks(
    role: str, blocks: Sequence[Mapping[str, Any]], number: int, *, cut: bool = False
) -> Iterator[SaidBlock]:
    for place, block in enumerate(blocks):
        passing = block.get("type") in PASSING or (block.get("type") == "text" and not block["text"].strip())
        if not passing:
            yield SaidBlock(role, _mark(block), (number, place), cut)


def _mark(block: Mapping[str, Any]) -> str:
    if block.get("type") == "text":
        return str(block["text"]).strip()
    names = ESSENCE.get(str(block.get("type")), block)
    return json.dumps(_bare({name: block.get(name) for name in names}), sort_keys=True, ensure_ascii=False)


def _bare(value: Any) -> Any:
    """Without what says nothing: markers, fields that are null, empty or false; one text is a list of one block."""
    if isinstance(value, Mapping):
        found = {name: _bare(item) for name, item in value.items() if name != MARKER}
        if value.get("type") == "tool_result" and isinstance(value.get("content"), str):
            found["content"] = [{"type": "text", "text": value["content"]}]
        return {name: item for name, item in found.items() if item not in (None, False, [], {}, "")}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _waiting(ours: Sequence[SaidBlock], record: Sequence[Turn]) -> int:
    """How many pieces stand before the questions at the end that nobody has answered."""
    answered = len(record)
    while answered and record[answered - 1].state == "pending":
        answered -= 1
    return next((at for at, piece in enumerate(ours) if piece.place[0] >= answered), len(ours))


def _overlap(ours: Sequence[SaidBlock], theirs: Sequence[SaidBlock], waits: int) -> int | None:
    """How many of `theirs` are known: the longest end of `ours` with which they begin; None where there is none.

    A list that begins somewhere in the middle must share a reply, or be what waits for one: words alone say little.
    """
    if not ours:
        return 0
    for start, piece in enumerate(ours):
        opens = start == 0 or ours[start - 1].place[0] != piece.place[0]
        if opens and theirs and piece.same(theirs[0]):
            upto, at = _along(ours, start, theirs)
            shares = start in (0, waits) or any(one.role == "assistant" for one in theirs[:at])
            if upto == len(ours) and shares:
                return at
    return None


def _along(ours: Sequence[SaidBlock], start: int, theirs: Sequence[SaidBlock]) -> tuple[int, int]:
    """How far both agree from `start` on: index in `ours` and in `theirs`. A reply cut short may be missing."""
    at = 0
    for index in range(start, len(ours)):
        if at < len(theirs) and ours[index].same(theirs[at]):
            at += 1
        elif not ours[index].cut:
            return index, at
    return len(ours), at


def _contradiction(
    record: Sequence[Turn], ours: Sequence[SaidBlock], theirs: Sequence[SaidBlock], messages: int
) -> Contradiction:
    _, at = _along(ours, 0, theirs)
    first, last = _question(theirs, at)
    before, _ = _along(ours, 0, theirs[:first])
    said = json.dumps([(piece.role, piece.mark) for piece in theirs[:last]])
    return Contradiction(
        message=theirs[at].place[0] if at < len(theirs) else messages,
        question=hashlib.sha256(said.encode()).hexdigest()[:12],
        asked=theirs[first].place if theirs else (0, 0),
        turn=record[ours[before - 1].place[0]].id if first and before else None,
        behind=at == len(theirs),
    )


def _question(theirs: Sequence[SaidBlock], at: int) -> tuple[int, int]:
    """Where the last question begins that stands at `at` or before, and where it ends."""
    asked = [index for index, piece in enumerate(theirs[: at + 1]) if piece.role == "user"]
    if not asked:
        return 0, min(at + 1, len(theirs))
    first = last = asked[-1]
    while first and theirs[first - 1].role == "user":
        first -= 1
    while last < len(theirs) and theirs[last].role == "user":
        last += 1
    return first, last


def _begins(mark: str, other: str) -> bool:
    return mark.startswith(other) or other.startswith(mark)
