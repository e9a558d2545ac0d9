"""What a recorded history has wrong, and which turns have to leave the view so that it is legal.

A pure function of the turns: each is judged in the form in which it would be sent, the whole record as one
conversation. What no request of a live conversation can have (a reply at the end, calls that are still to be
answered, the limits on one request) is no fault of a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sash.model.cards import ModelCard
from sash.model.epochs import Epoch
from sash.model.preamble import Preamble
from sash.model.turns import Turn, spoken
from sash.planning.rules import Problem, check_request, open_calls, sendable
from sash.planning.view import messages

KNOWN = frozenset(
    {
        *("text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result"),
        *("server_tool_use", "mcp_tool_use", "container_upload", "tool_reference", "browser_state", "compaction"),
        *("fallback", "tool_addition", "tool_removal"),
    }
)
NOTES = frozenset({"unknown-block", "empty-turn", "first-message", "kept-result"})
"""Rules that say what a request leaves out or carries as it is: nothing has to be mended for their sake."""
JUDGED = frozenset(
    {
        *("malformed", "role", "block-role", "document-in-assistant", "citations-in-user-text"),
        *("system-turn-content", "tool-unanswered", "tool-orphan", "tool-result-first", "tool-result-twice"),
        *("tool-id-twice", "tool-call-shape", "server-result-orphan", "server-call-open", "thinking-block"),
        *("tool-result-content", "image-source", "document-source", "image-bytes"),
    }
)
"""Rules of `sash.planning.rules` that a history itself can break."""


def record_problems(turns: Sequence[Turn], card: ModelCard) -> list[Problem]:
    """Everything wrong with the turns that are not withdrawn. Paths are "turns.<seq>.content.<block as sent>"."""
    live = [turn for turn in turns if turn.state != "withdrawn"]
    spoilt = [problem for turn in live for problem in _unreadable(turn)]
    where = {problem.path for problem in spoilt}
    read = [turn for turn in live if _path(turn.seq) not in where]
    return [*spoilt, *_opening(read), *(note for turn in read for note in _notes(turn)), *_judged(read, card)]


def to_withdraw(turns: Sequence[Turn], card: ModelCard) -> list[Turn]:
    """The turns without which the rest is legal: those at fault, and those that are once they are gone."""
    left, gone = list(turns), []
    while bad := _at_fault(left, card):
        gone += [turn for turn in left if turn.seq in bad]
        left = [turn for turn in left if turn.seq not in bad]
    return sorted(gone, key=lambda turn: turn.seq)


def is_note(problem: Problem) -> bool:
    """Whether nothing has to be mended: the turn is left out of requests, or carried as it is."""
    return problem.rule in NOTES


def _at_fault(turns: Sequence[Turn], card: ModelCard) -> set[int]:
    return {int(p.path.split(".")[1]) for p in record_problems(turns, card) if p.rule not in NOTES}


def _path(seq: int) -> str:
    return f"turns.{seq}.content"


def _unreadable(turn: Turn) -> Iterator[Problem]:
    """Content that is no list of blocks: a damaged file, or one that something else wrote to."""
    try:
        blocks = json.loads(turn.content)
    except ValueError as error:
        yield Problem(rule="content", path=_path(turn.seq), message=f"the content is no JSON: {error}")
        return
    good = isinstance(blocks, list) and all(isinstance(b, dict) and isinstance(b.get("type"), str) for b in blocks)
    if not good:
        yield Problem(rule="content", path=_path(turn.seq), message="the content is no list of blocks with a type")


def _opening(turns: Sequence[Turn]) -> Iterator[Problem]:
    for turn in spoken(turns)[:1]:
        if turn.role == "assistant" and not any(block["type"] == "compaction" for block in turn.blocks[:1]):
            message = "the record begins with the assistant; requests begin with the first thing that the user said"
            yield Problem(rule="first-message", path=_path(turn.seq), message=message)


def _notes(turn: Turn) -> Iterator[Problem]:
    if turn.state != "interrupted" and not sendable(turn.blocks):
        yield Problem(rule="empty-turn", path=_path(turn.seq), message="the turn says nothing; requests go without it")
    for index, block in enumerate(turn.blocks):
        kind = block["type"]
        if kind not in KNOWN and not kind.endswith("_tool_result"):
            message = f"a block of type {kind!r}, which this version does not know; it is sent as it is"
            yield Problem(rule="unknown-block", path=f"{_path(turn.seq)}.{index}", message=message)


def _judged(turns: Sequence[Turn], card: ModelCard) -> Iterator[Problem]:
    epoch = Epoch(model=card.id, preamble=Preamble(), start=1, base=0, tagged=not card.system_turns)
    numbered = messages(turns, epoch)
    waiting = _waiting(turns)
    body = {"model": card.id, "max_tokens": 1, "messages": [sent for _, sent in numbered]}
    for problem in check_request(body, card=card):
        place = problem.path.split(".")
        if problem.rule not in JUDGED or place[0] != "messages" or len(place) < 2:
            continue
        seq = numbered[int(place[1])][0]
        if seq in waiting and problem.rule == "tool-unanswered":
            continue
        path = ".".join([_path(seq), *place[3:]])
        yield Problem(rule=problem.rule, path=path, message=problem.message)


def _waiting(turns: Sequence[Turn]) -> set[int]:
    """The seq of the newest turn, if it is a reply whose calls may still be answered."""
    return {turn.seq for turn in spoken(turns)[-1:] if turn.role == "assistant" and open_calls(turn.blocks, ())}
