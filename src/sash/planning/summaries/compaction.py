"""The API's own compaction: the request that asks for a block, what a block in front leaves valid, and its headers.

"Compaction on demand", "Compaction that keeps recent turns" and "Compaction and preserved thinking" docs. Pure; it
knows bodies and turns, neither when to compact nor how the request is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sash.model.epochs import Epoch, Marker, Sent
from sash.model.summaries import Summary
from sash.model.turns import Turn, spoken
from sash.planning.inputs import Memory, Settings
from sash.planning.situation import Situation
from sash.planning.view import Message, Placed, alone, assemble, message

DEMAND_BETA = "compact-2026-09-04"
THRESHOLD_BETA = "compact-2026-01-12"
ROOM = 16_000
"""max_tokens of a compaction request at least: a block that does not fit is none."""
_CLASHING = ("stop_sequences", "context_management")


def most_of_block(budget: int) -> int:
    """The most tokens of a block that a budget has room for: how long it gets is the API's choice."""
    return budget // 2


def betas_for(epoch: Epoch, view: Placed) -> tuple[str, ...]:
    """The headers that compaction blocks in a view need: one for ours in front, one for those of imported turns."""
    signed = epoch.summary is not None and epoch.summary.signed
    imported = not alone(epoch) and view.compacted
    return (*((DEMAND_BETA,) if signed else ()), *((THRESHOLD_BETA,) if imported else ()))


def before_block(memory: Memory, groups: Sequence[Sequence[Turn]]) -> frozenset[int]:
    """seqs before the last block that the API compacted by threshold, in an imported history; instructions stay."""
    last = memory.compacted
    if not last:
        return frozenset()
    return frozenset(turn.seq for group in groups for turn in group if turn.seq < last and turn.role != "system")


def ignored(memory: Memory, groups: Sequence[Sequence[Turn]]) -> frozenset[int]:
    """What the API would ignore of these turns: all before such a block, unless something of ours stands in front."""
    return frozenset() if memory.summary is not None or memory.loaded.pinned_seqs else before_block(memory, groups)


def request(
    epoch: Epoch,
    numbered: Sequence[tuple[int, Message]],
    settings: Settings,
    *,
    markers: tuple[Marker, ...] = (),
    instructions: str | None = None,
) -> dict[str, Any]:
    """The body that asks for a block in the place of these messages, with the prefix and options of the chat."""
    most = min(settings.card.max_output, max(settings.max_tokens, ROOM))
    options = {name: value for name, value in settings.options.items() if name not in _CLASHING}
    sent = Sent(model=settings.model, max_tokens=most, options=_fitting(options), markers=markers, last=0)
    asked = {"type": "summarize"} | ({"instructions": instructions} if instructions else {})
    return {**assemble(epoch, numbered, sent), "compaction": asked}


def _fitting(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without what compaction does not go with; what the cache depends on stays."""
    fitting = dict(options)
    config = {name: value for name, value in (options.get("output_config") or {}).items() if name == "effort"}
    if config:
        fitting["output_config"] = config
    else:
        fitting.pop("output_config", None)
    if (options.get("tool_choice") or {}).get("type") in ("any", "tool"):
        fitting.pop("tool_choice")
    return fitting


def read_marker(numbered: Sequence[tuple[int, Message]], markers: Sequence[Marker], first: int) -> tuple[Marker, ...]:
    """Markers that read what the chat's own requests wrote, up to the newest question among the messages.

    `markers`: those of the last request. The prefix up to each question was written when that was new, from the first
    request of the epoch on, which sent the turns up to `first`; a marker before that would write, and read nothing.
    """
    tail = next((marker for marker in reversed(markers) if marker.place == "turn"), None)
    asked = [(seq, said) for seq, said in numbered if seq >= max(1, first) and said["role"] == "user"]
    shared = tuple(marker for marker in markers if marker.place != "turn")
    if tail is None or not asked:
        return shared
    seq, said = asked[-1]
    return (*shared, replace(tail, seq=seq, block=len(said["content"]) - 1, role="previous tail"))


def complete(epoch: Epoch) -> bool:
    """Whether nothing was left out between what stands in front of a view and its start."""
    return epoch.first_seq <= (epoch.summary.upto if epoch.summary else 0) + 1


def same_prefix(epoch: Epoch, settings: Settings) -> bool:
    """Whether a request on this epoch's view reads, and means, what the last one did."""
    return epoch.model == settings.model and epoch.preamble == settings.preamble and not epoch.relief


def keeps_thinking(
    memory: Memory, situation: Situation, groups: Sequence[Sequence[Turn]], start: int, settings: Settings
) -> bool:
    """Whether turns from exchange `start` on keep their thinking behind the block that a cut brings in front.

    It must have been made of this very view, by a model that binds thinking; they must directly follow what it stands
    for, after a reply, with nothing placed between and nothing taken out of them.
    """
    block, epoch, present = memory.summary, memory.epoch, situation.first_exchange
    if block is None or epoch is None or present is None or start <= present:
        return False
    if situation.forced or not settings.card.thinking_bound or memory.loaded.instructions or memory.loaded.pinned_seqs:
        return False
    before = [turn for group in groups[present:start] for turn in group]
    kept = [turn for group in groups[start:] for turn in group]
    return _made_of(block, epoch, settings) and _follows(before[-1], block, epoch) and _as_thought(before, kept, epoch)


def _made_of(block: Summary, epoch: Epoch, settings: Settings) -> bool:
    """Whether the API made a block of this very view, and of nothing else."""
    return block.signed and block != epoch.summary and complete(epoch) and same_prefix(epoch, settings)


def _follows(last: Turn, block: Summary, epoch: Epoch) -> bool:
    """Whether what comes behind the turn `last` directly follows what a block stands for, after a reply."""
    said = message(last, epoch)  # as sent: a reply of nothing but old thinking is no message
    return last.seq == block.upto and said is not None and said["role"] == "assistant"


def _as_thought(before: Sequence[Turn], kept: Sequence[Turn], epoch: Epoch) -> bool:
    """Whether the kept turns are sent as when they were thought: no instruction moves, no attachment leaves."""
    alone = not any(turn.role == "system" for turn in (*before, *kept))
    return alone and not any(turn.attachment is not None and epoch.shows(turn) for turn in spoken(kept))
