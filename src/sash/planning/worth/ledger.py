"""Tool results in the order in which they came, and what became of each: used by a later call or text, or replaced.

`entered` goes on from where it was: what is made of some turns and then of those behind is the same as of all at
once. Steps count the replies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sash.model.blocks import Block, dumps
from sash.model.turns import Turn
from sash.planning.worth.signs import signs, texts_of

TELLING, SAME = 8, 0.95
"""Signs that a result must have to be recognised in another one; the share of them that has to stand there."""
_PATH = re.compile(r"[^\s]*[/\\][^\s]+|[^\s/\\]+\.\w{1,8}")
_CHANGES = re.compile(r"edit|write|replace|create|update|insert|patch|append|delete|remove", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool: what for, and of what."""

    tool: str
    asked: str
    """its input as JSON text"""
    path: str = ""
    """the path that it names first; "" for none"""

    @property
    def changes(self) -> bool:
        """Whether it changes what stands at its path, by its tool's name."""
        return bool(self.path) and _CHANGES.search(self.tool) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownResult:
    """One tool result, and what became of it."""

    seq: int
    """of the turn that carries it"""
    id: str
    """of the call that it answers"""
    call: ToolCall
    step: int
    """the reply that asked for it"""
    used: int
    """the last reply that said something which it says; `step` before any"""
    signs: frozenset[str] = field(repr=False)
    replaced: int = 0
    """seq of a newer result of the very same call; 0 for none"""
    changed: int = 0
    """seq of a later call that changed what stands at its path; 0 for none"""
    repeated: int = 0
    """seq of a newer result that says the same, or nearly; 0 for none"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All results up to some turn."""

    step: int = 0
    results: tuple[KnownResult, ...] = ()
    """oldest first"""
    open: Mapping[str, ToolCall] = field(default_factory=dict)
    """the calls of the last reply, by id"""


def entered(before: Ledger, turns: Sequence[Turn]) -> Ledger:
    """The ledger with these turns, which follow."""
    ledger = before
    for turn in turns:
        if turn.role == "assistant":
            ledger = _replied(ledger, turn)
        elif turn.role == "user":
            ledger = _told(ledger, turn)
    return ledger


def _replied(before: Ledger, turn: Turn) -> Ledger:
    calls = {str(block.get("id")): call_of(block) for block in turn.blocks if block.get("type") == "tool_use"}
    ledger = replace(before, step=before.step + 1, open=calls)
    if not before.results:
        return ledger
    said = signs("\n".join(_said(block) for block in turn.blocks))
    changed = {call.path for call in calls.values() if call.changes}
    results = _used(before.results, said, ledger.step)
    return replace(ledger, results=tuple(_changed(one, changed, turn.seq) for one in results))


def _said(block: Block) -> str:
    if block.get("type") == "text":
        return str(block.get("text", ""))
    return texts_of(block.get("input")) if block.get("type") == "tool_use" else ""


def call_of(block: Block) -> ToolCall:
    """A `tool_use` block as a call."""
    asked = block.get("input")
    return ToolCall(tool=str(block.get("name")), asked=dumps(asked), path=_path(asked))


def _path(asked: Any) -> str:
    """The first path among the arguments of a call."""
    values = asked.values() if isinstance(asked, Mapping) else ()
    return next((value for value in values if isinstance(value, str) and _PATH.fullmatch(value)), "")


def _used(results: tuple[KnownResult, ...], said: frozenset[str], step: int) -> tuple[KnownResult, ...]:
    """What was said counts as a use of the newest result that says it, too."""
    left, found = said, []
    for one in reversed(results):
        common = left & one.signs if left else left
        found.append(replace(one, used=step) if common else one)
        left -= common
    return tuple(reversed(found))


def _changed(one: KnownResult, paths: set[str], seq: int) -> KnownResult:
    return replace(one, changed=seq) if one.call.path in paths else one


def _told(before: Ledger, turn: Turn) -> Ledger:
    new = [
        _result(before, turn, block, before.open[str(block.get("tool_use_id"))])
        for block in turn.blocks
        if block.get("type") == "tool_result" and str(block.get("tool_use_id")) in before.open
    ]
    if not new:
        return before
    calls = {one.call: one.seq for one in new}
    old = (
        replace(one, replaced=calls[one.call]) if one.call in calls else _repeated(one, new) for one in before.results
    )
    return replace(before, results=(*old, *new))


def _repeated(one: KnownResult, new: Sequence[KnownResult]) -> KnownResult:
    return next((replace(one, repeated=other.seq) for other in new if repeats(other.signs, one.signs)), one)


def repeats(newer: frozenset[str], older: frozenset[str]) -> bool:
    """Whether a result says what an older one says: all but a few of its signs."""
    return len(older) >= TELLING and len(newer & older) >= SAME * len(older)


def _result(before: Ledger, turn: Turn, block: Block, call: ToolCall) -> KnownResult:
    return KnownResult(
        seq=turn.seq,
        id=str(block.get("tool_use_id")),
        call=call,
        step=before.step,
        used=before.step,
        signs=signs(texts_of(block.get("content"))),
    )
