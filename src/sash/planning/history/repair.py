"""A history from elsewhere made legal: what is sent of which turn from now on. Nothing that was said is lost.

Results stand with their calls, wherever they came; a call without one is answered with an error; what answers nothing
is quoted as text; what the assistant said before the user spoke is quoted in front of the user's first turn; what says
nothing goes. The record stays as it came. Pure; each change is told in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sash.model.blocks import Block, dumps, text_block
from sash.model.functions import INTERRUPTED, MISSING, error_result
from sash.model.turns import Draft, Turn
from sash.planning.history.call_ids import with_legal_ids
from sash.planning.history.foreign import as_taken, quoted
from sash.planning.history.paused import losing
from sash.planning.rules import SERVER_CALLS, is_server_result, sendable

ROUNDS = 8
"""Quoting what opens a history may leave results without calls, and so on; more rounds than that never brings."""


@dataclass(kw_only=True)
class _Entry:
    """A turn on its way to its new form."""

    turn: Turn
    blocks: list[Block]
    sources: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def role(self) -> str:
        return self.turn.role

    def say(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What has to be done. Empty where the history is legal."""

    forms: Mapping[int, list[Block]]
    """blocks to be sent in the place of a turn's, by its seq; none: nothing is left of it"""
    sources: Mapping[int, frozenset[int]]
    """ids of other turns whose words a turn says now, by its seq"""
    answers: tuple[Draft, ...]
    """what has to be said behind the newest turn"""
    notes: Mapping[int, tuple[str, ...]]
    """what was done to which turn, in words; seq 0: what was added"""


def repair(turns: Sequence[Turn], *, betas: bool = False) -> Repair:
    """What makes these turns legal: readable ones, none withdrawn. `betas`: whether beta features are asked for."""
    entries = [_entry(turn, betas) for turn in turns]
    _rename(entries)
    opening: list[Block] = []
    answers: list[Block] = []
    for _ in range(ROUNDS):
        before, more = [list(entry.blocks) for entry in entries], bool(opening or answers)
        opening += _quote_opening(entries)
        _pair_server_calls(entries, more or bool(opening))
        answers = _pair(entries)
        if before == [entry.blocks for entry in entries] and more == bool(opening or answers):
            break
    added = [*answers, *opening]
    return Repair(
        forms={e.turn.seq: e.blocks for e in entries if e.blocks != _sent(e.turn) or _says_nothing(e)},
        sources={e.turn.seq: frozenset(e.sources - {e.turn.id}) for e in entries},
        answers=(Draft(role="user", content=dumps(added)),) if added else (),
        notes={
            **{e.turn.seq: tuple(e.notes) for e in entries if e.notes},
            **({0: ("what stood open was answered behind the newest turn",)} if added else {}),
        },
    )


def _sent(turn: Turn) -> list[Block]:
    """What is sent of a turn as it is; of a reply cut short only what can be."""
    return list(sendable(turn.blocks, interrupted=True)) if turn.state == "interrupted" else list(turn.blocks)


def _entry(turn: Turn, betas: bool) -> _Entry:
    blocks, said = as_taken(turn.role, _sent(turn), betas=betas)
    return _Entry(turn=turn, blocks=_saying(blocks), notes=said)


def _saying(blocks: list[Block]) -> list[Block]:
    """None of the blocks where they say nothing together."""
    return blocks if sendable(blocks) else []


def _says_nothing(entry: _Entry) -> bool:
    return not entry.blocks and entry.turn.state != "interrupted"


def _rename(entries: Sequence[_Entry]) -> None:
    for entry, blocks in zip(entries, with_legal_ids((e.role, e.blocks) for e in entries), strict=True):
        if blocks != entry.blocks:
            entry.say("ids of calls were made legal and unique")
            entry.blocks = blocks


def _runs(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    """Turns of one role in a row, as the API merges them; those that say nothing and instructions apart."""
    speaking = [entry for entry in entries if entry.blocks and entry.role != "system"]
    return [list(group) for _, group in groupby(speaking, key=lambda entry: entry.role)]


# ---- the opening ------------------------------------------------------------------------------------


def _quote_opening(entries: Sequence[_Entry]) -> list[Block]:
    """Quote what the assistant said before the user did, in front of what the user said first.

    The result is what is left to be said where the user has said nothing yet.
    """
    runs = _runs(entries)
    if not runs or runs[0][0].role != "assistant" or runs[0][0].blocks[0]["type"] == "compaction":
        return []
    said = [block for entry in runs[0] for block in _as_user_text(entry)]
    for entry in runs[0]:
        entry.blocks = []
        entry.say("said before the user spoke: quoted in front of the user's first turn")
    if len(runs) == 1:
        return said
    first = runs[1][0]
    first.blocks = [*said, *first.blocks]
    first.sources |= {entry.turn.id for entry in runs[0]}
    first.say("what the assistant said before is quoted in front")
    return []


def _as_user_text(entry: _Entry) -> Iterator[Block]:
    for block in entry.blocks:
        if block["type"] == "text" and block["text"].strip():
            yield text_block(f"[the assistant said, before the user spoke]\n{block['text']}")
        elif block["type"] not in ("text", "thinking", "redacted_thinking"):
            yield from quoted("user", block)[0]


# ---- calls and results ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Result:
    entry: _Entry
    block: Block
    run: int

    @property
    def made_up(self) -> bool:
        """Whether it stands for a result that did not come."""
        return self.block.get("content") in (INTERRUPTED, MISSING) and bool(self.block.get("is_error"))


def _pair(entries: Sequence[_Entry]) -> list[Block]:
    """Put every result in front of the turn that follows its call, and quote the others.

    The result is what has to be said behind the newest turn.
    """
    runs = _runs(entries)
    results: dict[str, list[_Result]] = {}
    for number, run in enumerate(runs):
        for entry in run:
            for block in entry.blocks:
                if block["type"] == "tool_result":
                    results.setdefault(block["tool_use_id"], []).append(_Result(entry=entry, block=block, run=number))
    chosen: dict[int, list[_Result | Block]] = {}
    for number, run in enumerate(runs):
        calls = _calls(run)
        if run[0].role == "assistant" and calls and not _waits(runs, number):
            last = number == len(runs) - 1  # nothing moves behind the newest turn: what came before is quoted
            chosen[number + 1] = _answers(run, {} if last else results, number + 1)
    for number, run in enumerate(runs):
        if run[0].role == "user":
            _settle(run, number, chosen)
    return [_block(one) for one in chosen.get(len(runs), ())]


def _calls(run: Sequence[_Entry]) -> list[Block]:
    return [block for entry in run for block in entry.blocks if block["type"] == "tool_use"]


def _answers(run: Sequence[_Entry], results: Mapping[str, Sequence[_Result]], following: int) -> list[_Result | Block]:
    """What answers the calls of a run of replies, in the run `following`."""
    found: list[_Result | Block] = []
    for entry in run:
        for call in _calls([entry]):
            one = _chosen(call, results.get(call["id"], ()), following)
            if not isinstance(one, _Result):
                entry.say(f"the call {call['id']!r} had no result: an error stands for it")
            elif one.run != following:
                entry.say(f"the result of the call {call['id']!r} was put behind it")
            found.append(one)
    return found


def _waits(runs: Sequence[Sequence[_Entry]], number: int) -> bool:
    """Whether the calls of a run may still be answered: nothing was said since the turn that makes all of them."""
    return number == len(runs) - 1 and _calls(runs[number]) == _calls(runs[number][-1:])


def _chosen(call: Block, found: Sequence[_Result], run: int) -> _Result | Block:
    """The result of a call: where it belongs, else a later one, else an earlier; an error where none came."""
    ranked = sorted(found, key=lambda one: (one.made_up, one.run != run, one.run < run))
    return ranked[0] if ranked else error_result(call, INTERRUPTED)


def _settle(run: list[_Entry], number: int, chosen: Mapping[int, Sequence[_Result | Block]]) -> None:
    """Have the results that belong to a user's run stand in front of it, and only these."""
    wanted = chosen.get(number, ())
    blocks = [(entry, block) for entry in run for block in entry.blocks]
    lead = blocks[: len(wanted)]
    ids = {_block(one)["tool_use_id"] for one in wanted}
    complete = all(isinstance(one, _Result) and one.run == number for one in wanted)
    in_front = complete and {id(block) for _, block in lead} == {id(_block(one)) for one in wanted}
    if in_front and not any(block["type"] == "tool_result" for _, block in blocks[len(wanted) :]):
        return
    kept = {id(one.block) for ones in chosen.values() for one in ones if isinstance(one, _Result)}
    for entry in run:
        entry.blocks = [made for block in entry.blocks for made in _unless_chosen(entry, block, kept, ids)]
    first = run[0]
    for one in wanted:
        if not isinstance(one, _Result):
            first.say(f"an error in front answers the call {one['tool_use_id']!r}, which had no result")
        elif one.entry is not first:
            first.sources.add(one.entry.turn.id)
            first.say(f"the result of the call {one.block['tool_use_id']!r} was put in front")
            one.entry.say(f"the result of the call {one.block['tool_use_id']!r} stands with its call")
        else:
            first.say("results were put in front")
    first.blocks = [*(_block(one) for one in wanted), *first.blocks]


def _block(one: _Result | Block) -> Block:
    return one.block if isinstance(one, _Result) else one


def _unless_chosen(entry: _Entry, block: Block, kept: set[int], ids: set[str]) -> list[Block]:
    """What stays of a block where it is: nothing of a result that stands elsewhere, a quotation of one that answers
    no call."""
    if block["type"] != "tool_result":
        return [block]
    if id(block) in kept:
        return []
    why = ": its call has another one" if block["tool_use_id"] in ids else ": its call is not here"
    made, words = quoted("user", block, why)
    entry.say(words)
    return made


# ---- calls of the server's tools --------------------------------------------------------------------


def _pair_server_calls(entries: Sequence[_Entry], more: bool) -> None:
    """Quote calls of the server's tools that nobody can go on with, and results that have no call.

    `more`: something will be said behind the newest turn.
    """
    runs = _runs(entries)
    whole = _whole_calls(runs, more)
    for run in runs:
        seen: set[str] = set()
        for entry in run:
            made: list[Block] = []
            for block in entry.blocks:
                kind = block["type"]
                name = str(block.get("tool_use_id" if is_server_result(kind) else "id"))
                server = kind in SERVER_CALLS or is_server_result(kind)
                if server and kind != "tool_result" and name not in whole:
                    found, words = quoted(entry.role, block, ": the server's tool cannot go on")
                    entry.say(words)
                    made += found
                else:
                    made.append(block)
                seen.add(name)
            entry.blocks = made


def _whole_calls(runs: Sequence[Sequence[_Entry]], more: bool) -> set[str]:
    """ids of server calls that have one result, or may still get it."""
    waiting: set[str] = set()
    done: Counter[str] = Counter()
    for run in runs:
        if run[0].role == "user" and any(b["type"] != "tool_result" for entry in run for b in entry.blocks):
            waiting.clear()
        for block in (block for entry in run for block in entry.blocks):
            kind = block["type"]
            if kind in SERVER_CALLS:
                waiting.add(str(block["id"]))
            elif kind != "tool_result" and is_server_result(kind):
                name = str(block.get("tool_use_id"))
                done[name] += 1 if name in waiting or name in done else 2  # a result before its call spoils both
                waiting.discard(name)
    newest = runs[-1] if runs and runs[-1][0].role == "assistant" and not more else []
    going_on = set() if losing([(entry.turn, entry.blocks) for entry in newest]) else waiting
    last = {str(b.get("id")) for entry in newest for b in entry.blocks}
    return {name for name, times in done.items() if times == 1} | (going_on & last)
