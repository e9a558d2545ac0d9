"""What makes an imported history illegal as a request: a list of problems, nothing is changed.

The rules are those of the Messages API documentation ("Messages", "Tool use", "Mid-conversation system
messages"): user first, tool calls answered in the very next user turn with the results in front, no empty
content. Consecutive messages of one role count as one turn, as the API merges them. Neither models nor
sizes are known here, and a reply at the very end is no fault: a record may end there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

Message = tuple[str, Sequence[dict[str, Any]]]
"""role, blocks"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryProblem:
    """One thing that is wrong. `turn` is the index of the turn it concerns, or None."""

    text: str
    turn: int | None = None
    id: str | None = None
    """The id of the tool call or question it concerns, if it is about one."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive messages of one role, which the API reads as one turn."""

    role: str
    turn: int
    """index of its first message"""
    blocks: tuple[dict[str, Any], ...]

    def ids(self, kind: str, key: str) -> list[str]:
        return [block.get(key, "") for block in self.blocks if block.get("type") == kind]


def faults(messages: Sequence[Message]) -> tuple[HistoryProblem, ...]:
    """Every fault, rule by rule. An empty history is one fault."""
    if not messages:
        return (HistoryProblem(text="there is no turn"),)
    runs = list(_runs(messages))
    return (*_order(runs), *_empty(messages), *_unanswered(runs), *_misplaced(runs), *_repeated(messages))


def _runs(messages: Sequence[Message]) -> Iterator[_Run]:
    for role, group in groupby(enumerate(messages), key=lambda item: item[1][0]):
        members = list(group)
        yield _Run(role, members[0][0], tuple(block for _, (_, blocks) in members for block in blocks))


def _order(runs: Sequence[_Run]) -> Iterator[HistoryProblem]:
    if runs[0].role != "user" and not any(block.get("type") == "compaction" for block in runs[0].blocks[:1]):
        yield HistoryProblem(text=f"the first turn is of role {runs[0].role}; the API wants user", turn=0)
    for before, run, after in zip(runs, runs[1:], [*runs[2:], None], strict=False):
        if run.role == "system" and not (_may_precede_system(before) and (after is None or after.role == "assistant")):
            yield HistoryProblem(
                text="a system message must follow a user turn, and be last or before a reply", turn=run.turn
            )


def _may_precede_system(run: _Run) -> bool:
    return run.role == "user" or str(run.blocks[-1:] and run.blocks[-1].get("type")).endswith("_tool_result")


def _empty(messages: Sequence[Message]) -> Iterator[HistoryProblem]:
    for index, (_, blocks) in enumerate(messages):
        texts = [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
        if len(texts) == len(blocks) and not "".join(texts).strip():
            yield HistoryProblem(text="the turn has no content", turn=index)
        elif "" in texts:
            yield HistoryProblem(text="a text block is empty", turn=index)


def _unanswered(runs: Sequence[_Run]) -> Iterator[HistoryProblem]:
    for run, after in zip(runs, [*runs[1:], None], strict=True):
        answered = set(after.ids("tool_result", "tool_use_id")) if after is not None else set()
        for call in run.ids("tool_use", "id"):
            if call not in answered:
                yield HistoryProblem(
                    text=f"tool call {call} has no result in the next user turn", turn=run.turn, id=call
                )


def _misplaced(runs: Sequence[_Run]) -> Iterator[HistoryProblem]:
    for before, run in pairwise([_Run("", 0, ()), *runs]):
        called = set(before.ids("tool_use", "id"))
        for result in run.ids("tool_result", "tool_use_id"):
            if result not in called:
                yield HistoryProblem(
                    text=f"tool result {result} answers no call of the turn before", turn=run.turn, id=result
                )
        kinds = [block.get("type") == "tool_result" for block in run.blocks]
        if kinds != sorted(kinds, reverse=True):
            yield HistoryProblem(text="other content stands before a tool result", turn=run.turn)


def _repeated(messages: Sequence[Message]) -> Iterator[HistoryProblem]:
    seen: set[str] = set()
    for index, (_, blocks) in enumerate(messages):
        for call in [block.get("id", "") for block in blocks if block.get("type") == "tool_use"]:
            if call in seen:
                yield HistoryProblem(text=f"tool call id {call} is used twice", turn=index, id=call)
            seen.add(call)
