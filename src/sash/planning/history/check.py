"""What a recorded history has wrong, and what a repair does about it.

A pure function of the turns: each is judged in the form in which it would be sent, the whole record as one
conversation. What no request of a live conversation can have (a reply at the end, calls that are still to be
answered, the limits on one request) is no fault of a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sash.model.blocks import dumps
from sash.model.cards import ModelCard
from sash.model.epochs import Epoch
from sash.model.preamble import Preamble
from sash.model.turns import Turn, as_turns, spoken
from sash.planning.history.foreign import as_taken
from sash.planning.history.paused import losing, newest_replies
from sash.planning.history.repair import Repair
from sash.planning.rules import Problem, check_request, is_plain_user, open_calls, sendable
from sash.planning.view import messages

REPAIRED = "repaired"
"""The rule under which a repair says what it did to a turn that had nothing wrong itself."""
KNOWN = frozenset(
    {
        *("text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result"),
        *("server_tool_use", "mcp_tool_use", "container_upload", "tool_reference", "browser_state", "compaction"),
        *("fallback", "tool_addition", "tool_removal"),
    }
)
NOTES = frozenset({"kept-result", "empty-turn", "first-message", REPAIRED})
"""Rules that say what a request leaves out, or what a repair did beside: no send is refused for their sake."""
BESIDE = "legal by what was done to other turns"
LEFT_OUT = "left out of the view: it cannot be repaired"
JUDGED = frozenset(
    {
        *("malformed", "role", "block-role", "document-in-assistant", "citations-in-user-text"),
        *("system-turn-content", "tool-unanswered", "tool-orphan", "tool-result-first", "tool-result-twice"),
        *("tool-id-twice", "tool-call-shape", "server-result-orphan", "server-call-open", "thinking-block"),
        *("tool-result-content", "image-source", "document-source", "image-bytes", "image-pixels"),
    }
)
"""Rules of `sash.planning.rules` that a history itself can break."""


def record_problems(turns: Sequence[Turn], card: ModelCard, *, betas: bool = False) -> list[Problem]:
    """Everything wrong with the turns that are not withdrawn. Paths are "turns.<seq>.content.<block as sent>".

    `betas`: beta features are asked for, so blocks and fields that this version does not know may be sent.
    """
    live = [turn for turn in turns if turn.state != "withdrawn"]
    spoilt = [problem for turn in live for problem in unreadable(turn)]
    read = readable(live)
    notes = [note for turn in read for note in _notes(turn, betas)]
    found = [*spoilt, *_opening(read), *notes, *_judged(read, card), *_mixed(read)]
    named = {_seq(problem) for problem in found}
    return [*found, *(p for turn in read if turn.seq not in named for p in _forms(turn, betas))]


def to_withdraw(turns: Sequence[Turn], card: ModelCard, *, betas: bool = False) -> list[Turn]:
    """The turns without which the rest is legal: those at fault, and those that are once they are gone."""
    left, gone = list(turns), []
    while bad := _at_fault(left, card, betas):
        gone += [turn for turn in left if turn.seq in bad]
        left = [turn for turn in left if turn.seq not in bad]
    return sorted(gone, key=lambda turn: turn.seq)


def repaired(turns: Sequence[Turn], done: Repair) -> list[Turn]:
    """The turns as they are sent after a repair, answers that it adds included; what says nothing any more is gone."""
    made = []
    for turn in turns:
        blocks = done.forms.get(turn.seq)
        if blocks is None:
            made.append(turn)
        elif blocks:
            made.append(replace(turn, mended=dumps(blocks), plain=is_plain_user(turn.role, blocks)))
    made += as_turns(done.answers, max((turn.seq for turn in turns), default=0), 0, "answered")
    return made


def told(problems: Sequence[Problem], done: Repair, withdrawn: Sequence[Turn]) -> list[Problem]:
    """The problems with what a repair did about each, and what it did beside."""
    gone = {turn.seq for turn in withdrawn}
    words = {seq: "; ".join(notes) for seq, notes in done.notes.items()}
    for seq in gone | {seq for seq, blocks in done.forms.items() if not blocks}:
        words[seq] = LEFT_OUT if seq in gone else words.get(seq) or "left out of the view: it says nothing"
    named = {_seq(problem) for problem in problems}
    return [
        *(replace(problem, done=words.get(_seq(problem), BESIDE)) for problem in problems),
        *(
            Problem(rule=REPAIRED, path=_path(seq) if seq else "turns", message=said, done=said)
            for seq, said in sorted(words.items())
            if seq not in named
        ),
    ]


def readable(turns: Sequence[Turn]) -> list[Turn]:
    """The turns whose content is a list of blocks."""
    return [turn for turn in turns if not list(unreadable(turn))]


def is_note(problem: Problem) -> bool:
    """Whether no send is refused for its sake: the turn is left out of requests, or was changed along with another."""
    return problem.rule in NOTES


def _at_fault(turns: Sequence[Turn], card: ModelCard, betas: bool) -> set[int]:
    return {_seq(problem) for problem in record_problems(turns, card, betas=betas) if not is_note(problem)}


def _seq(problem: Problem) -> int:
    return int(problem.path.split(".")[1])


def _path(seq: int) -> str:
    return f"turns.{seq}.content"


def unreadable(turn: Turn) -> Iterator[Problem]:
    """Content that is no list of blocks: a damaged file, or one that something else wrote to."""
    try:
        blocks = turn.blocks
    except ValueError as error:
        yield Problem(rule="content", path=_path(turn.seq), message=f"the content is no JSON: {error}")
        return
    good = isinstance(blocks, list) and all(isinstance(b, dict) and isinstance(b.get("type"), str) for b in blocks)
    if not good:
        yield Problem(rule="content", path=_path(turn.seq), message="the content is no list of blocks with a type")


def _opening(turns: Sequence[Turn]) -> Iterator[Problem]:
    """What stands in front of the first thing that the user said: a request leaves it out."""
    for turn in spoken(turns):
        blocks = sendable(turn.blocks, interrupted=turn.state == "interrupted")
        if not blocks:
            continue
        if turn.plain or blocks[0]["type"] == "compaction":
            return
        if turn.role == "assistant":
            message = "the record begins with the assistant; requests begin with the first thing that the user said"
            yield Problem(rule="first-message", path=_path(turn.seq), message=message)
        else:
            message = "the record begins with results of calls that are not here"
            yield Problem(rule="tool-orphan", path=_path(turn.seq), message=message)


def _mixed(turns: Sequence[Turn]) -> Iterator[Problem]:
    """The newest replies, where something would be lost with a server's call that nobody goes on with."""
    for turn in losing(newest_replies(turns)):
        message = "a server's call without result; as soon as something else is said, what stands beside it is given up"
        yield Problem(rule="server-call-open", path=_path(turn.seq), message=message)


def _notes(turn: Turn, betas: bool) -> Iterator[Problem]:
    if turn.state != "interrupted" and not sendable(turn.blocks):
        yield Problem(rule="empty-turn", path=_path(turn.seq), message="the turn says nothing; requests go without it")
    for index, block in enumerate(() if betas else turn.blocks):
        kind = block["type"]
        if kind not in KNOWN and not kind.endswith("_tool_result"):
            message = f"a block of type {kind!r}, which this version of the API does not take without a beta"
            yield Problem(rule="unknown-block", path=f"{_path(turn.seq)}.{index}", message=message)


def _forms(turn: Turn, betas: bool) -> Iterator[Problem]:
    """What the API would refuse in a block for its form, and what belongs to one request alone."""
    if turn.state == "interrupted":
        return  # only finished text of it is sent
    for words in as_taken(turn.role, sendable(turn.blocks), betas=betas)[1]:
        message = f"a repair would tell of this turn: {words}"
        yield Problem(rule="block-form", path=_path(turn.seq), message=message)


def _judged(turns: Sequence[Turn], card: ModelCard) -> Iterator[Problem]:
    epoch = Epoch(model=card.id, preamble=Preamble(), first_seq=1, thinking_stripped_to=0, tagged=not card.system_turns)
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
