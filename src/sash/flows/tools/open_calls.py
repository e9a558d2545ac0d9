"""The loose ends of a record: tool calls without results, and a server's turn that was paused.

A crash, a caller who says something else, or a far side that fails leaves them. Nothing is rewritten: open
calls are answered in a turn of their own (with the results that were kept, else with errors), so that the
next question stays a plain turn; a paused turn that is not continued counts as interrupted from then on. Only where
their answer is withdrawn from under what was said since, calls go with it: nobody can answer them there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from sash.flows.record import Record
from sash.model.blocks import Block, dumps
from sash.model.functions import INTERRUPTED, error_result
from sash.model.turns import Draft, Turn, last_spoken, spoken
from sash.planning.history.paused import paused, said_of
from sash.planning.history.results import read_kept
from sash.planning.rules import open_calls, waiting_calls


class Closed(NamedTuple):
    """The turns of a window, and what has to be said before anything else."""

    turns: tuple[Turn, ...]
    answers: tuple[Draft, ...] = ()
    interrupted: tuple[int, ...] = ()
    """ids of paused turns that nobody will continue: interrupted from this request on"""
    notes: tuple[str, ...] = ()
    """what is not sent any more of these, a sentence each"""


def close_open_calls(store: Record, turns: Sequence[Turn], drafts: Sequence[Draft]) -> Closed:
    """What `drafts` need in front of them where they are no answer to what stands open."""
    last = last_spoken(turns)
    answered = any(draft.role == "user" and not draft.plain for draft in drafts)
    if last is None or last.role != "assistant" or answered or not any(draft.plain for draft in drafts):
        return Closed(turns=tuple(turns))
    waiting = paused(turns)
    calls = [] if last in waiting else left_open(last)
    if not (waiting or calls):
        return Closed(turns=tuple(turns))
    given_up = {turn.id for turn in waiting}
    if given_up:
        turns = [replace(turn, state="interrupted") if turn.id in given_up else turn for turn in turns]
    kept = kept_results(store, last, calls) if calls else {}
    return Closed(
        turns=tuple(turns),
        answers=_answers(calls, kept),
        interrupted=tuple(sorted(given_up)),
        notes=said_of(waiting),
    )


def kept_results(store: Record, turn: Turn, calls: Sequence[Block]) -> dict[str, Block]:
    """By call id, the results that were kept for `calls` of a reply and never sent, as the API takes them."""
    kept = store.results.read(turn.id)
    return {str(call["id"]): read_kept(call, kept[str(call["id"])]) for call in calls if str(call["id"]) in kept}


def _answers(calls: Sequence[Block], kept: Mapping[str, Block]) -> tuple[Draft, ...]:
    results = [kept.get(str(call["id"])) or error_result(call, INTERRUPTED) for call in calls]
    return (Draft(role="user", content=dumps(results)),) if results else ()


def left_open(turn: Turn) -> list[Block]:
    """The calls of a reply that wait for results, if nothing was said after it. A reply cut short makes none."""
    if turn.role != "assistant" or turn.state == "interrupted":
        return []
    waiting = set(open_calls(turn.blocks, ()))
    return [block for block in turn.blocks if block.get("type") == "tool_use" and block.get("id") in waiting]


UNANSWERED = "calls whose answer was withdrawn were taken out of the view"


def taken_along(turns: Sequence[Turn], gone: Collection[int]) -> list[Turn]:
    """The replies that go with the turns (ids) that are withdrawn: their calls lose their results for good.

    Not the newest, whose calls then stand open again; with a reply goes what the server paused to come to it.
    """
    live = [turn for turn in spoken(turns) if turn.state != "withdrawn"]
    newest = next((turn for turn in reversed(live) if turn.id not in gone), None)
    found: list[Turn] = []
    for before, turn in pairwise(reversed(live)):  # from the newest back
        answered = before.id in gone and not before.plain and bool(open_calls(turn.blocks, ()))
        continued = bool(found) and before is found[-1] and bool(waiting_calls([turn.blocks]))
        if turn.role == "assistant" and turn is not newest and (answered or continued):
            found.append(turn)
    return found
