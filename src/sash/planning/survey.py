"""One look through the turns of a window: what they are by exchange, and which of the rarer kinds are among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sash.model.counts import Count
from sash.model.turns import Exchange, Turn, by_exchange, last_spoken
from sash.planning.rules import open_calls, waiting_calls
from sash.planning.view import BLOCK

Group = tuple[Turn, ...]
"""The turns of one exchange, oldest first."""


class Survey(NamedTuple):
    """What was found."""

    groups: tuple[Group, ...] = ()
    """the turns by exchange, oldest first"""
    instructions: Group = ()
    """the turns of role system"""
    compacted: int = 0
    """seq of the last block that the API compacted by threshold, in an imported history; 0 for none"""
    answering: tuple[int, ...] = ()
    """seqs of the turns of tool results, oldest first"""
    attached: Group = ()
    """the turns with which something is attached"""
    pending: tuple[int, ...] = ()
    """ids of the turns that no reply has settled yet"""


def surveyed(before: Survey, turns: Sequence[Turn]) -> Survey:
    """What was found before, and what is found in the turns behind."""
    last = before.groups[-1] if before.groups else ()
    groups = (*before.groups[:-1], *map(tuple, by_exchange((*last, *turns))))
    instructions, answering, attached, pending = list[Turn](), list[int](), list[Turn](), list[int]()
    compacted = before.compacted
    for turn in turns:
        if turn.role == "system":
            instructions.append(turn)
        elif turn.role == "user" and not turn.plain:
            answering.append(turn.seq)
        elif turn.role == "assistant" and _compacted(turn):
            compacted = turn.seq
        if turn.attachment is not None:
            attached.append(turn)
        if turn.state == "pending":
            pending.append(turn.id)
    return Survey(
        groups=groups,
        instructions=(*before.instructions, *instructions),
        compacted=compacted,
        answering=(*before.answering, *answering),
        attached=(*before.attached, *attached),
        pending=(*before.pending, *pending),
    )


def _compacted(reply: Turn) -> bool:
    if BLOCK not in reply.content:
        return False
    return any(block.get("type") == "compaction" and block.get("content") for block in reply.blocks[:1])


def exchange(group: Sequence[Turn], known: Mapping[int, Count], *, newest: bool = False) -> Exchange:
    """An exchange with its sizes; `known` are those of its turns by seq."""
    tokens = upper = replies = 0
    for turn in group:
        if turn.role == "system":
            continue
        count = known[turn.seq]
        tokens += count.tokens
        upper += count.upper
        replies += turn.role == "assistant"
    return Exchange(
        first=group[0].seq,
        last=group[-1].seq,
        tokens=tokens,
        upper=upper,
        requests=max(1, replies),
        at=group[0].at,
        open=newest and in_tool_run(group),
    )


def in_tool_run(group: Sequence[Turn]) -> bool:
    """Whether the exchange goes on: its newest turn carries tool results, or calls (the server's too) without any."""
    last = last_spoken(group)
    if last is None or last.role == "user":
        return last is not None and not last.plain
    return bool(open_calls(last.blocks, ()) or waiting_calls([last.blocks]))
