"""The user's standing instructions that have left the view, to be quoted again where a view begins.

The first time, turns that may hold one are searched for by their words; from then on only those are read that have left
since. What was found is remembered by branch, and forgotten with anything that is redacted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sash.flows.context import Context
from sash.model.turns import Turn
from sash.planning.inputs import Memory
from sash.planning.plan import Plan
from sash.profile.standing import CHARACTERS, CUES, Standing, in_force, instructions_in
from sash.recall import Term
from sash.summaries.facts import normal

AT_ONCE = 20
"""Words that are searched for at once."""
READ = 2_000
"""Turns read at most of those that were found, the newest."""


def standing(chat: Context, memory: Memory, plan: Plan, model: str) -> list[Standing]:
    """What holds of what was said before the planned view and is quoted nowhere in it, the newest first."""
    shown = {turn.seq for turn in plan.turns}
    summary = normal(plan.epoch.summary.text) if plan.epoch.summary else ""
    left = _left(chat, memory, plan.epoch.first_seq, model)
    here = [one for turn in plan.turns if turn.role == "user" for one in instructions_in(turn)]
    return [one for one in in_force([*left, *here]) if one.seq not in shown and normal(one.text) not in summary]


def _left(chat: Context, memory: Memory, start: int, model: str) -> Sequence[Standing]:
    """What the user ever asked to hold in the turns before seq `start`."""
    head = memory.loaded.head
    key = (head.branch, head.forgotten)
    upto, found = chat.standing.get(key, (0, ()))
    if upto < start - 1:
        present = {turn.seq: turn for turn in memory.loaded.turns}
        near = min(present, default=start) <= upto + 1
        turns = present.values() if near else _searched(chat, start, model)
        found = (*found, *_said(turn for turn in turns if upto < turn.seq < start))
        chat.standing.clear()
        chat.standing[key] = (start - 1, found)
    return [one for one in found if one.seq < start]


def _said(turns: Iterable[Turn]) -> tuple[Standing, ...]:
    return tuple(one for turn in turns if turn.role == "user" for one in instructions_in(turn))


def _searched(chat: Context, until: int, model: str) -> Sequence[Turn]:
    """The turns before seq `until` that hold a word of an instruction."""
    terms = [*(Term(text=cue) for cue in CUES), *(Term(text=pair, index="characters") for pair in CHARACTERS)]
    seqs = {
        seq
        for at in range(0, len(terms), AT_ONCE)
        for hits in chat.store.index.match(chat.conversation, terms=terms[at : at + AT_ONCE], until=until).hits
        for seq in hits.seqs
    }
    read = chat.store.index.read(chat.conversation, seqs=sorted(seqs)[-READ:], model=model)
    return [turn for turn, _ in read]
