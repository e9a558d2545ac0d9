"""Checking a conversation: its whole record, and the request that it would send next.

Repairing takes turns out of the view, never out of the record, and ends the epoch: what is sent behind them
would otherwise stand on another prefix than the one its thinking is bound to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sash.errors import BudgetExceeded, InvalidContent
from sash.flows.loose import left_open
from sash.flows.prepare import prepare
from sash.flows.steps import Flow, Mend, ReadResults, ReadTurns
from sash.flows.talk import Chat
from sash.model.blocks import dumps, text_block
from sash.model.turns import Draft, Turn, spoken
from sash.planning.check import is_note, record_problems, to_withdraw
from sash.planning.plan import Settings
from sash.planning.results import unsendable
from sash.planning.rules import Problem

PROBE = Draft(role="user", content=dumps([text_block("?")]))
"""What the next request is imagined to say."""


def check(chat: Chat, settings: Settings, *, repair: bool) -> Flow[list[Problem]]:
    """What is wrong, record first. With `repair`, what was: the turns that have to are withdrawn."""
    turns = yield from ReadTurns(conversation=chat.conversation)
    problems = record_problems(turns, settings.card)
    if not any(problem.rule == "content" for problem in problems):
        problems += yield from _kept(turns)
    wrong = [problem for problem in problems if not is_note(problem)]
    if wrong and repair:
        gone = to_withdraw([turn for turn in turns if turn.state != "withdrawn"], settings.card)
        yield from Mend(
            conversation=chat.conversation,
            withdraw=tuple(turn.id for turn in gone),
            reason=f"{len(gone)} turns were taken out by a repair",
        )
    if any(problem.rule == "content" for problem in wrong) and not repair:
        return problems  # a request cannot even be imagined while a turn of it cannot be read
    ahead = yield from _next_request(chat, settings)
    said = {problem.rule for problem in problems}
    return [*problems, *(problem for problem in ahead if problem.rule not in said)]


def _kept(turns: Sequence[Turn]) -> Flow[list[Problem]]:
    """What is wrong with results that were kept and not sent yet. A note: what cannot be sent is sent in words."""
    newest = next(iter(spoken([turn for turn in turns if turn.state != "withdrawn"])[-1:]), None)
    if newest is None or not (calls := left_open(newest)):
        return []
    kept = yield from ReadResults(turn=newest.id)
    return [
        Problem(rule="kept-result", path=f"results.{key}", message=f"{problem.message}; it will be sent in words")
        for call in calls
        if (key := str(call["id"])) in kept
        for problem in unsendable(call, json.loads(kept[key]))[:1]
    ]


def _next_request(chat: Chat, settings: Settings) -> Flow[list[Problem]]:
    """What the next request would be refused for, here or by the API. Paths are those of the request."""
    try:
        yield from prepare(replace(chat, endpoint=False), (PROBE,), settings)
    except InvalidContent as refused:
        found = refused.facts.get("problems") or [Problem(rule=refused.problem, path="", message=str(refused))]
        return [replace(problem, path=f"next request: {problem.path}") for problem in found]
    except BudgetExceeded as large:
        return [Problem(rule="budget", path="next request", message=str(large))]
    return []
